import { describeFailure } from '../../../base/command.js';
import type { Check } from '../../check.js';
import { fail, ok, warn } from '../../check-result.js';

const needed = ['sbatch', 'squeue', 'scontrol', 'scancel', 'sinfo'];

/** Slurm's commands exist and are from one release. */
export const commands: Check = {
  id: 'slurm.commands',
  group: 'slurm',
  title: 'commands',
  async run({ run, signal }) {
    const answers = await Promise.all(
      needed.map(async (name) => {
        const result = await run(name, ['--version'], { timeoutMs: 4_000, signal });
        const problem = describeFailure(result);
        return {
          name,
          kind: result.kind,
          problem,
          version: result.kind === 'exited' ? result.stdout.trim() : '',
        };
      }),
    );
    const missing = answers.filter(({ kind }) => kind === 'missing');
    if (missing.length > 0) {
      return fail(
        missing.map(({ name, problem }) => `${name} ${problem}.`),
        "module load slurm   # or add the directory of Slurm's commands to PATH",
      );
    }
    const bad = answers.filter(({ problem }) => problem !== '');
    if (bad[0] !== undefined) {
      return fail(
        `${bad.map(({ name }) => name).join(', ')}: ${bad[0].name} ${bad[0].problem.replaceAll(/\s*\n\s*/g, ' ')}`,
        'export SLURM_CONF=/etc/slurm/slurm.conf   # path of the cluster configuration',
      );
    }
    const versions = [...new Set(answers.map(({ version }) => version))];
    if (versions.length > 1) {
      return warn(
        answers.map(({ name, version }) => `${name}: ${version}`),
        'Put one Slurm installation first in PATH; see: type -a sbatch squeue scontrol',
      );
    }
    return ok(`${versions.join('')}: ${needed.join(', ')}`);
  },
};
