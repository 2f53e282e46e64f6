import { systemClock } from '../base/clock.js';
import { createRunner } from '../base/command.js';
import { slurmEnvironment } from '../slurm/environment.js';
import type { Check, CheckResult, RunContext } from './check.js';
import { allChecks, checkById } from './checks/index.js';
import { runChecks as run, type RunChecksOptions } from './run-checks.js';

export type { Check, CheckContext, CheckResult, ConfigurationFacts, Finding, Group, RunContext, Status } from './check.js';
export { groups } from './check.js';
export { allChecks, checkById };
export { probeSharedDirectories, type ProbeAnswer, type ProbeRequest } from './probe-job.js';

/**
 * Runs checks, and whatever they need, out of all that there are.
 * To ask a single one: `runChecks([checkById('rabbitmq.connect')], createRunContext({ profile, settings, env }))`.
 */
export async function runChecks(
  checks: readonly Check[],
  context: RunContext,
  options: RunChecksOptions = {},
): Promise<CheckResult[]> {
  return run(checks, context, { catalog: allChecks, ...options });
}

/** A context on this machine. What is left out: no profile read from a file, no site directory, nothing deep. */
export function createRunContext(
  given: Pick<RunContext, 'profile' | 'settings' | 'env'> & Partial<RunContext>,
): RunContext {
  return {
    configuration: null,
    siteDirectory: null,
    run: createRunner({ env: slurmEnvironment(given.env) }),
    clock: systemClock,
    deep: false,
    ...given,
  };
}
