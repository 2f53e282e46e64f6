import { systemClock } from '../base/clock.js';
import { createRunner } from '../base/command.js';
import { slurmEnvironment } from '../slurm/environment.js';
import type { Check, CheckResult, RunContext } from './check.js';
import { allChecks, checkById } from './checks/index.js';
import { maskResult, secretsOf } from './mask-result.js';
import { runChecks as run, type RunChecksOptions } from './run-checks.js';

export { exitCodeOf, jsonReport, renderReport, summaryOf, type Summary } from './report.js';
export { loadForDoctor } from './load-configuration.js';
export { selectChecks } from './select.js';
export type { Check, CheckResult, Repair, RunContext } from './check.js';
export { allChecks, checkById };

/**
 * Runs checks and those that they need. Secrets of the settings are masked in the results.
 * A single check: `runChecks([checkById('rabbitmq.connect')], createRunContext({ profile, settings, env }))`.
 */
export async function runChecks(
  checks: readonly Check[],
  context: RunContext,
  options: RunChecksOptions = {},
): Promise<CheckResult[]> {
  const secrets = secretsOf(context.settings);
  const results = await run(checks, context, {
    catalog: allChecks,
    ...options,
    onResult: (result) => options.onResult?.(maskResult(result, secrets)),
  });
  return results.map((result) => maskResult(result, secrets));
}

/** A context for this host. Defaults: no profile file, no site directory, no deep checks. */
export function createRunContext(
  given: Pick<RunContext, 'profile' | 'settings' | 'env'> & Partial<RunContext>,
): RunContext {
  return {
    configuration: null,
    siteDirectory: null,
    run: createRunner({ env: slurmEnvironment(given.env, given.settings.slurm.environment) }),
    clock: systemClock,
    deep: false,
    ...given,
  };
}
