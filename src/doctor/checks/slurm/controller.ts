import { describeFailure } from '../../../base/command.js';
import type { Check } from '../../check.js';
import { readSlurmConfig } from '../../slurm-config.js';
import { fail, ok, warn } from '../../check-result.js';

/** Answers slower than this, in milliseconds, get a warning. */
const slowMs = 1_000;

/** Whether slurmctld answers, and how fast. */
export const controller: Check = {
  id: 'slurm.controller',
  group: 'slurm',
  title: 'controller',
  needs: ['slurm.commands'],
  timeoutMs: 10_000,
  async run({ run, signal }) {
    const result = await run('scontrol', ['ping'], { timeoutMs: 4_500, signal });
    const lines = (result.kind === 'exited' ? result.stdout : '')
      .split('\n')
      .filter((line) => line.startsWith('Slurmctld'));
    const fix = 'scontrol ping   # then: systemctl status slurmctld on the controller, munge on both';
    if (describeFailure(result) !== '' || !lines.some((line) => / is UP\b/.test(line))) {
      // with rl_enable, a ping is not retried and scontrol prints DOWN (24.11); other requests are retried
      const config = await readSlurmConfig(run, { timeoutMs: 4_500, signal });
      if (config !== null && lines.some((line) => / is DOWN\b/.test(line))) {
        return warn(
          ['slurmctld answers, but refused a ping because of its rate limit.', ...lines],
          'scontrol show config | grep SlurmctldParameters   # rl_bucket_size and rl_refill_rate',
        );
      }
      const why = describeFailure(result);
      return fail([...lines, ...(why === '' ? [] : [`scontrol ping ${why}.`])], fix);
    }
    const evidence = [...lines, `answered after ${result.ms} ms`];
    if (lines.some((line) => / is DOWN\b/.test(line))) return warn(evidence, fix);
    return result.ms > slowMs ? warn(evidence, 'sdiag   # shows the load of the controller') : ok(evidence);
  },
};
