import { errorLine } from '../base/errors.js';
import type { Repair } from './check.js';

/**
 * Asks for each repair, applies it and reports the result.
 * @returns how many were applied, declined and failed
 */
export async function applyRepairs(
  repairs: readonly Repair[],
  { confirm, say }: { confirm: (what: string) => Promise<boolean>; say: (line: string) => void },
): Promise<{ done: number; declined: number; failed: number }> {
  const tally = { done: 0, declined: 0, failed: 0 };
  for (const { what, apply } of repairs) {
    if (!(await confirm(what))) {
      tally.declined += 1;
      say(`skipped: ${what}`);
      continue;
    }
    try {
      await apply();
      tally.done += 1;
      say(`done: ${what}`);
    } catch (thrown) {
      tally.failed += 1;
      say(`failed: ${what}: ${errorLine(thrown)}`);
    }
  }
  return tally;
}
