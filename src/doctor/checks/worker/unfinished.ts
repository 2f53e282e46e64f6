import type { Run } from '../../../worker/run-state/run.js';
import type { Check, Finding } from '../../check.js';
import { combine, count, ok, warn } from '../../check-result.js';
import type { JournalFacts } from './journal.js';

const hour = 60 * 60_000;
/** The tokens of a task live for 7 days (contract, section b): after that neither report nor upload is taken. */
const tokenDays = 7;
/** Stages that the worker leaves by its own work, and how long that may take. */
const ownStages = { accepted: hour, staging: 12 * hour, submitting: hour, collecting: 12 * hour } as const;

/** Runs that have been under way for too long. Pure. */
export function judgeUnfinished(
  runs: readonly Pick<Run, 'id' | 'stage' | 'stageSince' | 'acceptedAt' | 'girderTrouble'>[],
  now: number,
): Finding {
  const alive = runs
    .filter(({ stage }) => stage !== 'finished')
    .toSorted((a, b) => a.acceptedAt - b.acceptedAt);
  const [oldest] = alive;
  if (oldest === undefined) return ok('no run is under way');
  const findings = [
    ok(
      `${count(alive.length, 'run')} under way, the oldest for ${span(now - oldest.acceptedAt)}: ${oldest.id}, ${oldest.stage}`,
    ),
  ];
  const expired = alive.filter((run) => now - run.acceptedAt > tokenDays * 24 * hour);
  if (expired.length > 0) {
    findings.push(
      warn(
        `${count(expired.length, 'run')} older than ${tokenDays} days, so Girder takes neither their reports nor their outputs any more: ${names(expired)}`,
        'dsa-slurm console   # cancel them there, and start the analyses again in Girder',
      ),
    );
  }
  const waiting = alive.filter(({ girderTrouble }) => (girderTrouble ?? null) !== null);
  if (waiting.length > 0) {
    findings.push(
      warn(
        `${count(waiting.length, 'run')} waiting for Girder: ${waiting[0]?.girderTrouble ?? ''}`,
        'dsa-slurm runs list   # shows what each of them waits for',
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
        `${count(stuck.length, 'run')} for very long in one stage: ${stuck
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
  title: 'runs under way',
  needs: ['worker.journal'],
  run: async ({ needed, clock }) =>
    judgeUnfinished((needed('worker.journal') as JournalFacts).runs, clock.now()),
};
