import { DsaSlurmError } from '../base/errors.js';

/** Exit codes of dsa-slurm. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, refused: 3, unknown: 3, busy: 4 } as const;

/** What they mean, for the documentation. */
export const exitCodeMeanings: readonly (readonly [code: number, meaning: string])[] = [
  [exitCodes.ok, 'success, or help or version was printed'],
  [exitCodes.failure, 'the operation failed; `doctor`: a check failed'],
  [exitCodes.usage, 'nothing was done: flags, arguments or the configuration are invalid'],
  [exitCodes.refused, '`explain`: the message would be rejected; `runs`, `images`: not found'],
  [exitCodes.busy, 'the worker that owns the state directory cannot be reached'],
];

/** What the documentation adds to them. */
export const exitCodeNote =
  '`status` has the codes of monitoring plugins instead: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. A signal ends a program with 128 and its number.';

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
