import { DsaSlurmError } from '../../base/errors.js';
import type { RunView } from '../views/handle.js';
import type { Outcome, Stage } from '../run-state/run.js';

/** Criteria for runs; missing ones match all. */
export interface RunFilter {
  stage?: readonly Stage[];
  outcome?: readonly Outcome[];
  /** Girder logins. */
  user?: readonly string[];
  /** Image, or a prefix of its name. */
  image?: string;
  /** Earliest arrival, in milliseconds since the epoch. */
  since?: number;
  /** Maximum number; the newest runs are returned. */
  limit?: number;
}

/** Runs that match a filter, newest first. Pure. */
export function selectRuns(
  runs: readonly RunView[],
  { stage, outcome, user, image, since, limit }: RunFilter,
): RunView[] {
  return runs
    .filter(
      (run) =>
        (stage === undefined || stage.includes(run.stage)) &&
        (outcome === undefined || (run.outcome !== null && outcome.includes(run.outcome))) &&
        (user === undefined || (run.user !== null && user.includes(run.user))) &&
        (image === undefined || run.image.startsWith(image)) &&
        (since === undefined || run.acceptedAt >= since),
    )
    .sort((a, b) => b.acceptedAt - a.acceptedAt)
    .slice(0, limit);
}

/** A shorter prefix of an id may be a typo. */
const minPrefixLength = 4;

/**
 * Finds a run by its id or a prefix of it, the id of its Girder job, or the id of its Slurm job. Null if there is none.
 * @throws DsaSlurmError `usage` if several match
 */
export function findRun(runs: readonly RunView[], word: string): RunView | null {
  const exact = runs.find(({ id }) => id === word);
  if (exact !== undefined) return exact;
  const named = runs.filter(
    ({ id, girderJobId, jobId }) =>
      girderJobId === word || jobId === word || (word.length >= minPrefixLength && id.startsWith(word)),
  );
  if (named.length < 2) return named[0] ?? null;
  const ids = named.slice(0, 5).map(({ id }) => id);
  throw new DsaSlurmError(
    'usage',
    `${word} matches ${named.length} runs: ${ids.join(', ')}${named.length > 5 ? ' …' : ''}.`,
    {
      next: 'Use a longer prefix of the id.',
    },
  );
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/**
 * Parses a duration before now (`90m`, `24h`, `7d`) or a date or time in ISO 8601. Null if it is invalid.
 * @returns milliseconds since the epoch
 */
export function readSince(text: string, now: number): number | null {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text.trim()) ?? [];
  const seconds = units[unit ?? ''];
  if (count !== undefined && seconds !== undefined) return now - Number(count) * seconds * 1_000;
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}
