import type { CheckResult, Group, RunContext } from './check.js';
import { allChecks, runChecks } from './index.js';
import { selectChecks } from './select.js';

/** A doctor that is asked again and again, as by the console. */
export interface CheckSession {
  /** Every check that there is, in the order of the report. */
  checks: readonly { id: string; group: Group; title: string }[];
  /**
   * Runs checks and what they need, each told of as soon as it is done. Never rejects.
   * @param ids null for all of them
   */
  run(
    ids: readonly string[] | null,
    onResult: (result: CheckResult) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

export function createCheckSession(context: RunContext): CheckSession {
  return {
    checks: allChecks.map(({ id, group, title }) => ({ id, group, title })),
    async run(ids, onResult, signal) {
      const { checks, catalog } = selectChecks(allChecks, { only: ids ?? [], skip: [] });
      await runChecks(checks, context, { catalog, signal, onResult });
    },
  };
}
