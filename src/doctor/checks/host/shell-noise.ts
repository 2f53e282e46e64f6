import type { CommandResult } from '../../../base/command.js';
import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../check-result.js';

/** A login shell slower than this, in milliseconds, gets a warning. */
const slowMs = 2_500;

/** Judges a login shell that runs `true`. */
export function judgeShell(result: CommandResult): Finding {
  switch (result.kind) {
    case 'missing':
      return ok('bash is not installed');
    case 'timeout':
    case 'killed':
    case 'overflow':
    case 'aborted':
      return warn('A login shell hangs in its startup files.', 'bash -lxc true   # shows where it hangs');
    case 'exited':
      break;
  }
  const noise = result.stdout.trim();
  if (noise !== '') {
    return warn(
      [
        'The startup files of the shell print to standard output, which breaks programs that read it (scp, sbatch wrappers).',
        `first line: ${noise.split('\n')[0]?.replaceAll(/\p{C}/gu, '?').slice(0, 100)}`,
      ],
      'Move that output in ~/.bashrc after:  [[ $- == *i* ]] || return',
    );
  }
  if (result.ms > slowMs) {
    return warn(`A login shell takes ${result.ms} ms to start.`, 'bash -lxc true   # shows what is slow');
  }
  return ok(`a login shell starts silently in ${result.ms} ms`);
}

export const shellNoise: Check = {
  id: 'host.shell-noise',
  group: 'host',
  title: 'shell startup files',
  run: async ({ run, signal }) =>
    judgeShell(await run('bash', ['-lc', 'true'], { timeoutMs: 4_000, signal })),
};
