import { systemClock } from '../base/clock.js';
import { createRunner } from '../base/command.js';
import { slurmEnvironment } from '../slurm/environment.js';
import type { Check, CheckResult, RunContext } from './check.js';
import { allChecks, checkById } from './checks/index.js';
import { maskResult, secretsOf } from './mask-result.js';
import { runChecks as run, type RunChecksOptions } from './run-checks.js';

export { exitCodeOf, jsonReport, renderReport, summaryOf, type ReportStyle, type Summary } from './report.js';
export { loadForDoctor } from './load-configuration.js';
export { selectChecks } from './select.js';
export type {
  Check,
  CheckContext,
  CheckResult,
  ConfigurationFacts,
  Finding,
  Group,
  Repair,
  RunContext,
  Status,
} from './check.js';
export { allChecks, checkById };
export {
  probeSharedDirectories,
  type ProbeAnswer,
  type ProbeRequest,
  type ProbeWaiting,
} from './probe/probe-job.js';

/**
 * Runs checks, and whatever they need, out of all that there are. Results hold no secret of the settings.
 * To ask a single one: `runChecks([checkById('rabbitmq.connect')], createRunContext({ profile, settings, env }))`.
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

/** A context on this machine. What is left out: no profile read from a file, no site directory, nothing deep. */
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
