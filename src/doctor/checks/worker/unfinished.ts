import type { Run } from '../../../worker/run-state/run.js';
import type { Check, Finding } from '../../check.js';
import { combine, count, ok, warn } from '../../check-result.js';

const hour = 60 * 60_000;
/** A task's tokens expire after 7 days; then Girder accepts neither its reports nor its uploads. */
const tokenDays = 7;
/** Stages whose duration does not depend on Slurm, and their longest plausible duration. */
const ownStages = { accepted: hour, staging: 12 * hour, submitting: hour, collecting: 12 * hour } as const;

/** Finds runs that take too long. */
export function judgeUnfinished(
  runs: readonly Pick<Run, 'id' | 'stage' | 'stageSince' | 'acceptedAt' | 'girderProblem'>[],
  now: number,
): Finding {
  const alive = runs
    .filter(({ stage }) => stage !== 'finished')
    .toSorted((a, b) => a.acceptedAt - b.acceptedAt);
  const [oldest] = alive;
  if (oldest === undefined) return ok('no unfinished runs');
  const findings = [
    ok(
      `${count(alive.length, 'unfinished run')}, the oldest for ${span(now - oldest.acceptedAt)}: ${oldest.id}, ${oldest.stage}`,
    ),
  ];
  const expired = alive.filter((run) => now - run.acceptedAt > tokenDays * 24 * hour);
  if (expired.length > 0) {
    findings.push(
      warn(
        `${count(expired.length, 'run')} older than ${tokenDays} days: Girder no longer accepts their reports and outputs: ${names(expired)}`,
        'dsa-slurm console   # cancel them, then start the analyses again in Girder',
      ),
    );
  }
  const waiting = alive.filter(({ girderProblem }) => (girderProblem ?? null) !== null);
  if (waiting.length > 0) {
    findings.push(
      warn(
        `${count(waiting.length, 'run')} waiting for Girder: ${waiting[0]?.girderProblem ?? ''}`,
        'dsa-slurm runs list   # shows what each run waits for',
      ),
    );
  }
  const stuck = alive.filter(({ stage, stageSince }) => {
    const limit = (ownStages as Partial<Record<string, number>>)[stage];
    return limit !== undefined && now - stageSince > limit;
  });
  if (stuck.length > 0) {
    findings.push(
      warn(
        `${count(stuck.length, 'run')} in the same stage for very long: ${stuck
          .slice(0, 3)
          .map((run) => `${run.id} ${run.stage} for ${span(now - run.stageSince)}`)
          .join(', ')}`,
        'dsa-slurm console   # shows why they wait',
      ),
    );
  }
  return combine(findings);
}

function names(runs: readonly Pick<Run, 'id'>[]): string {
  return `${runs
    .slice(0, 3)
    .map(({ id }) => id)
    .join(', ')}${runs.length > 3 ? ', …' : ''}`;
}

function span(ms: number): string {
  const hours = ms / hour;
  if (hours >= 48) return `${Math.round(hours / 24)} days`;
  return hours >= 1 ? `${Math.round(hours)} h` : `${Math.round(ms / 60_000)} min`;
}

export const unfinished: Check = {
  id: 'worker.unfinished',
  group: 'worker',
  title: 'unfinished runs',
  needs: ['worker.journal'],
  run: async ({ needed, clock }) => judgeUnfinished(needed('worker.journal').runs, clock.now()),
};
