import { errorLine } from '../base/errors.js';
import type { Repair } from './check.js';

/**
 * Shows each repair, asks, does it and tells how it went.
 * @returns how many were done, declined and failed
 */
export async function applyRepairs(
  repairs: readonly Repair[],
  { confirm, say }: { confirm: (what: string) => Promise<boolean>; say: (line: string) => void },
): Promise<{ done: number; declined: number; failed: number }> {
  const tally = { done: 0, declined: 0, failed: 0 };
  for (const { what, apply } of repairs) {
    if (!(await confirm(what))) {
      tally.declined += 1;
      say(`left as it is: ${what}`);
      continue;
    }
    try {
      await apply();
      tally.done += 1;
      say(`done: ${what}`);
    } catch (thrown) {
      tally.failed += 1;
      say(`could not be done: ${what}: ${errorLine(thrown)}`);
    }
  }
  return tally;
}
