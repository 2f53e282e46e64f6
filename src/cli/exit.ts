import { DsaSlurmError } from '../base/errors.js';

/**
 * How dsa-slurm ends, for scripts.
 *
 * | code | meaning |
 * | --- | --- |
 * | 0 | done, or help and version were shown |
 * | 1 | it was tried and failed |
 * | 2 | nothing was tried: flags, arguments or the configuration are wrong |
 * | 3 | `explain`: the message would not be run; `runs`: there is no such run |
 * | 4 | `runs`: a worker has the state directory and cannot be reached |
 * | 130 | the sandbox was stopped before its end |
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
