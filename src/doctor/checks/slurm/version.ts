import { readClusterInfo, type ClusterInfo } from '../../../slurm/site.js';
import type { Check } from '../../check.js';
import { fail, ok, warn } from '../../check-result.js';

/** The oldest supported release. */
const oldest = [20, 11] as const;

/** Slurm's release; passes a {@link ClusterInfo} to other checks. */
export const version: Check<'slurm.version'> = {
  id: 'slurm.version',
  group: 'slurm',
  title: 'version',
  needs: ['slurm.controller'],
  timeoutMs: 20_000,
  async run({ run, signal }) {
    const site: ClusterInfo = await readClusterInfo(run, { timeoutMs: 15_000, signal });
    if (site.version === null) {
      return fail(
        'scontrol show config did not report the Slurm version.',
        'scontrol show config | grep SLURM_VERSION',
      );
    }
    const evidence = `Slurm ${site.version}, cluster ${site.cluster ?? 'without a name'}`;
    const hidden = site.privateData.join(', ');
    const [major = 0, minor = 0] = site.version.split('.').map(Number);
    const tooOld = major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
    const finding = tooOld
      ? warn(
          `${evidence}: releases before 20.11 are not tested.`,
          'Upgrade Slurm, or verify this one with: dsa-slurm doctor --deep',
        )
      : ok([
          evidence,
          ...(hidden === ''
            ? []
            : [
                `PrivateData: without operator rights, Slurm shows only the user's own part of ${hidden}. Runs need no more; the console shows no more.`,
              ]),
        ]);
    return { ...finding, fact: site };
  },
};
