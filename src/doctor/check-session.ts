import type { CheckResult, Group, RunContext } from './check.js';
import { allChecks, runChecks } from './index.js';
import { selectChecks } from './select.js';

/** Runs checks repeatedly, for the console. */
export interface CheckSession {
  /** All checks, in the order of the report. */
  checks: readonly { id: string; group: Group; title: string }[];
  /**
   * Runs checks and those that they need, and reports each result at once. Never rejects.
   * @param ids null for all checks
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
