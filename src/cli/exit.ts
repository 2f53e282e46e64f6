import { DsaSlurmError } from '../base/errors.js';

/**
 * Exit codes of dsa-slurm.
 *
 * | code | meaning |
 * | --- | --- |
 * | 0 | success, or help or version was printed |
 * | 1 | the operation failed |
 * | 2 | nothing was done: flags, arguments or the configuration are invalid |
 * | 3 | `explain`: the message would be rejected; `runs`, `images`: not found |
 * | 4 | `runs`: the worker that owns the state directory cannot be reached |
 * | 130 | interrupted |
 */
export const exitCodes = { ok: 0, failure: 1, usage: 2, refused: 3, unknown: 3, busy: 4 } as const;

export function exitCodeFor(thrown: unknown): number {
  if (!(thrown instanceof DsaSlurmError)) return exitCodes.failure;
  switch (thrown.code) {
    case 'usage':
    case 'config':
      return exitCodes.usage;
    case 'unknown':
      return exitCodes.unknown;
    case 'busy':
      return exitCodes.busy;
    default:
      return exitCodes.failure;
  }
}
