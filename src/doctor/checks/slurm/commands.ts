import { describeFailure } from '../../../base/command.js';
import type { Check } from '../../check.js';
import { fail, ok, warn } from '../../check-result.js';

const needed = ['sbatch', 'squeue', 'scontrol', 'scancel', 'sinfo'];

/** Slurm's commands are there and of one release. */
export const commands: Check = {
  id: 'slurm.commands',
  group: 'slurm',
  title: 'commands',
  async run({ run, signal }) {
    const answers = await Promise.all(
      needed.map(async (name) => {
        const result = await run(name, ['--version'], { timeoutMs: 4_000, signal });
        const trouble = describeFailure(result);
        return {
          name,
          kind: result.kind,
          trouble,
          version: result.kind === 'exited' ? result.stdout.trim() : '',
        };
      }),
    );
    const missing = answers.filter(({ kind }) => kind === 'missing');
    if (missing.length > 0) {
      return fail(
        missing.map(({ name, trouble }) => `${name} ${trouble}.`),
        "module load slurm   # or put the directory of Slurm's commands on PATH",
      );
    }
    const bad = answers.filter(({ trouble }) => trouble !== '');
    if (bad[0] !== undefined) {
      return fail(
        `${bad.map(({ name }) => name).join(', ')}: ${bad[0].name} ${bad[0].trouble.replaceAll(/\s*\n\s*/g, ' ')}`,
        'export SLURM_CONF=/etc/slurm/slurm.conf   # where the configuration of the cluster is',
      );
    }
    const versions = [...new Set(answers.map(({ version }) => version))];
    if (versions.length > 1) {
      return warn(
        answers.map(({ name, version }) => `${name}: ${version}`),
        'Put the commands of one Slurm first on PATH; see: type -a sbatch squeue scontrol',
      );
    }
    return ok(`${versions.join('')}: ${needed.join(', ')}`);
  },
};
