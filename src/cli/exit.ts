import { DsaSlurmError } from '../base/errors.js';

/**
 * How dsa-slurm ends, for scripts.
 *
 * | code | meaning |
 * | --- | --- |
 * | 0 | done, or help and version were shown |
 * | 1 | it was tried and failed |
 * | 2 | nothing was tried: flags, arguments or the configuration are wrong |
 * | 3 | `explain`: the message would not be run |
 * | 130 | the sandbox was stopped before its end |
 */
export const exitCodes = { ok: 0, failure: 1, usage: 2, refused: 3 } as const;

export function exitCodeFor(thrown: unknown): number {
  const unusable = thrown instanceof DsaSlurmError && (thrown.code === 'usage' || thrown.code === 'config');
  return unusable ? exitCodes.usage : exitCodes.failure;
}
