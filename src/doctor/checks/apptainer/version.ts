import { isTooOld, minimumReleases } from '../../../apptainer/isolation.js';
import { describeFailure } from '../../../base/command.js';
import type { Check, Finding } from '../../check.js';
import { configSet, fail, ok } from '../../check-result.js';

/** Judges the output of `--version`. */
function judgeVersion(printed: string, command: string, profile: string): Finding {
  const match = /^(apptainer|singularity)\S* version (\d+)\.(\d+)\S*/m.exec(printed.trim());
  if (match === null) {
    return fail(
      `"${command} --version" does not look like Apptainer: ${printed.trim().slice(0, 100)}`,
      configSet(profile, 'apptainer.command', 'apptainer'),
    );
  }
  const name = match[1] === 'apptainer' ? 'apptainer' : 'singularity';
  return isTooOld({ name, version: `${match[2]}.${match[3]}` })
    ? fail(
        `${match[0]} cannot isolate containers, so runs are refused: ${minimumReleases[name].join('.')} or later is required.`,
        'Install a newer Apptainer: https://apptainer.org/docs/admin/main/installation.html',
      )
    : ok(match[0]);
}

export const version: Check = {
  id: 'apptainer.version',
  group: 'apptainer',
  title: 'container runtime on this host',
  async run({ run, settings, profile, signal }) {
    const { command } = settings.apptainer;
    const result = await run(command, ['--version'], { timeoutMs: 4_500, signal });
    const problem = describeFailure(result);
    if (problem !== '' || result.kind !== 'exited') {
      return fail(
        `${command} ${problem}.`,
        `module load apptainer   # or set its path: ${configSet(profile, 'apptainer.command', '/opt/apptainer/bin/apptainer')}`,
      );
    }
    return judgeVersion(result.stdout, command, profile);
  },
};
