import type { CommandResult } from '../../../base/command.js';
import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../check-result.js';

/** Milliseconds for a login shell that does nothing. */
const slowMs = 2_500;

/** Pure. */
export function judgeShell(result: CommandResult): Finding {
  switch (result.kind) {
    case 'missing':
      return ok('there is no bash here');
    case 'timeout':
    case 'killed':
    case 'overflow':
    case 'aborted':
      return warn(
        'A login shell does not get through its start-up files.',
        'bash -lxc true   # shows where it stays',
      );
    case 'exited':
      break;
  }
  const noise = result.stdout.trim();
  if (noise !== '') {
    return warn(
      [
        'The start-up files of the shell print to standard output, which disturbs programs that read it (scp, sbatch wrappers).',
        `first line: ${noise.split('\n')[0]?.replaceAll(/\p{C}/gu, '?').slice(0, 100)}`,
      ],
      'Put it into ~/.bashrc behind:  [[ $- == *i* ]] || return',
    );
  }
  if (result.ms > slowMs) {
    return warn(
      `A login shell takes ${result.ms} ms to start.`,
      'bash -lxc true   # shows what takes the time',
    );
  }
  return ok(`a login shell starts silently in ${result.ms} ms`);
}

export const shellNoise: Check = {
  id: 'host.shell-noise',
  group: 'host',
  title: 'start-up files of the shell',
  run: async ({ run, signal }) =>
    judgeShell(await run('bash', ['-lc', 'true'], { timeoutMs: 4_000, signal })),
};
