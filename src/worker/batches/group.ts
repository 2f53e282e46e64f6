import type { BatchRun } from './batch-run.js';

/** A slide of a batch: its first run and the retries of it. */
export interface BatchSlide {
  /** In order of arrival. */
  runs: readonly [BatchRun, ...BatchRun[]];
  /** The latest of them, which decides how the slide stands. */
  current: BatchRun;
}

/** Runs that somebody most likely started together. */
export interface RunGroup {
  /** Id of the earliest run. */
  id: string;
  /** In order of arrival. */
  slides: readonly BatchSlide[];
}

/** A run that arrives this long after the one before, or after the end of the last one, still belongs to its batch. */
export const gapMs = 10 * 60_000;
/** Girder may publish a batch slide by slide, each when an earlier one has ended; after this long it is another batch. */
export const maxGapMs = 24 * 60 * 60_000;

/**
 * Groups runs into batches: same user, image, CLI and arguments but for the inputs, published close together. This is inferred,
 * because Girder does not say which of its jobs belong together. A retry belongs to the slide that it is a retry of, whenever it was
 * started. Pure; the order of `runs` does not matter. Newest first.
 */
export function groupIntoBatches(runs: Iterable<BatchRun>): RunGroup[] {
  const open = new Map<string, OpenBatch[]>();
  const groups: OpenBatch[] = [];
  for (const slide of slidesOf(runs)) {
    const [first] = slide.runs;
    const { user } = first;
    const end = first.finishedAt ?? Infinity;
    const known = open.get(first.key) ?? [];
    const batch = batchFor(first, known);
    if (batch !== undefined) {
      batch.slides.push(slide);
      batch.lastArrival = first.acceptedAt;
      batch.lastEnd = Math.max(batch.lastEnd, end);
      batch.user ??= user;
    } else {
      const begun = { slides: [slide], user, lastArrival: first.acceptedAt, lastEnd: end };
      open.set(first.key, [...known.filter((one) => one.user !== user), begun]);
      groups.push(begun);
    }
  }
  return groups.map(({ slides }) => ({ id: slides[0]?.runs[0].id ?? '', slides })).reverse();
}

interface OpenBatch {
  slides: BatchSlide[];
  user: string | null;
  lastArrival: number;
  lastEnd: number;
}

/** The batch that a run belongs to. A user who is not known yet, which takes a request to Girder, may be anyone. */
function batchFor({ acceptedAt, user }: BatchRun, known: readonly OpenBatch[]): OpenBatch | undefined {
  const close = known.filter((batch) => isClose(acceptedAt, batch));
  return (
    close.find((batch) => batch.user === user) ??
    close.findLast((batch) => batch.user === null || user === null)
  );
}

function isClose(at: number, { lastArrival, lastEnd }: { lastArrival: number; lastEnd: number }): boolean {
  return at - lastArrival <= gapMs || (at - lastEnd <= gapMs && at - lastArrival <= maxGapMs);
}

/** All slides in order of arrival. */
function slidesOf(runs: Iterable<BatchRun>): BatchSlide[] {
  const sorted = [...runs].sort(byArrival);
  const known = new Map(sorted.map((run) => [run.id, run]));
  const retried = new Map<string, BatchRun>();
  for (const run of sorted) if (run.retryOf !== null) retried.set(run.retryOf, run);
  return sorted.flatMap((run): BatchSlide[] => {
    // a retry whose first run is forgotten is a slide of its own
    if (run.retryOf !== null && known.has(run.retryOf) && retried.get(run.retryOf) === run) return [];
    const chain: [BatchRun, ...BatchRun[]] = [run];
    let current = run;
    for (let next = retried.get(run.id); next !== undefined; next = retried.get(next.id)) {
      // a damaged journal must not make this endless
      if (chain.includes(next)) break;
      chain.push(next);
      current = next;
    }
    return [{ runs: chain, current }];
  });
}

function byArrival(a: BatchRun, b: BatchRun): number {
  return a.acceptedAt - b.acceptedAt || (a.id < b.id ? -1 : 1);
}
