import { formatAge } from '../../base/text/duration.js';
import { memoryOption, timeLimitOption } from '../../slurm/requested.js';
import type { BatchRun } from './batch-run.js';
import type { FailureCause } from './failure-cause.js';
import type { BatchSlide, RunGroup } from './group.js';

/** Median and worst of all slides that it is known of. */
export interface Spread {
  median: number;
  worst: number;
  /** Number of slides. */
  count: number;
}

/** Failed slides with the same reason. */
export interface FailureGroup {
  kind: FailureCause['kind'];
  count: number;
  /** `out of memory at 4G`. Can contain text of the container: clean it before display. */
  reason: string;
  /** What the facts suggest; null if nothing. */
  suggestion: string | null;
  /** Ids of the runs. */
  runs: readonly string[];
}

/** Runs that somebody most likely started together. Inferred: Girder does not mark them. */
export interface Batch {
  /** Id of its first run. */
  id: string;
  user: string | null;
  image: string;
  cli: string;
  /** What the titles of its Girder jobs begin with; null if nothing. */
  title: string | null;
  firstAt: number;
  lastAt: number;
  /** When its last slide ended; null while one has not. */
  endedAt: number | null;
  /** Numbers of slides. `done`: those that have ended. */
  total: number;
  done: number;
  succeeded: number;
  failed: number;
  canceled: number;
  running: number;
  waiting: number;
  slidesPerHour: number | null;
  /** When it will end at this rate, in milliseconds since the epoch; null if that cannot be said. */
  expectedEnd: number | null;
  /** Time in milliseconds and memory in bytes that a slide takes. */
  time: Spread | null;
  memory: Spread | null;
  /** Memory that was requested for the latest slides; null if none was. */
  requestedMemory: number | null;
  failures: readonly FailureGroup[];
  /** Ids of the latest run of each slide, in order of arrival. */
  runs: readonly string[];
  unfinished: readonly string[];
}

/** A batch has at least two slides. */
const minSlides = 2;

/** All batches, newest first. Pure. */
export function summarizeBatches(groups: readonly RunGroup[], now: number): Batch[] {
  return groups.filter(({ slides }) => slides.length >= minSlides).map((group) => summarize(group, now));
}

/** Pure. */
export function summarize({ id, slides }: RunGroup, now: number): Batch {
  const latest = slides.map(({ current }) => current);
  const first = slides[0]?.current;
  const ended = latest.filter(({ stage }) => stage === 'finished');
  const count = (outcome: BatchRun['outcome']): number =>
    ended.filter((run) => run.outcome === outcome).length;
  const unfinished = latest.filter(({ stage }) => stage !== 'finished');
  const running = unfinished.filter(({ stage }) => stage === 'running' || stage === 'collecting').length;
  const slidesPerHour = rateOf(slides, now);
  const endedAt =
    unfinished.length > 0 ? null : latest.reduce((last, run) => Math.max(last, run.finishedAt ?? 0), 0);
  return {
    id,
    user: latest.find(({ user }) => user !== null)?.user ?? null,
    image: first?.image ?? '',
    cli: first?.cli ?? '',
    title: commonTitle(latest),
    firstAt: slides[0]?.runs[0].acceptedAt ?? 0,
    lastAt: slides.at(-1)?.runs[0].acceptedAt ?? 0,
    endedAt,
    total: latest.length,
    done: ended.length,
    succeeded: count('succeeded'),
    failed: count('failed'),
    canceled: count('canceled'),
    running,
    waiting: unfinished.length - running,
    slidesPerHour,
    expectedEnd:
      unfinished.length === 0 || slidesPerHour === null
        ? null
        : Math.round(now + (unfinished.length / slidesPerHour) * hourMs),
    time: spread(ended.flatMap(({ outcome, runMs }) => (outcome === 'succeeded' ? (runMs ?? []) : []))),
    memory: spread(latest.flatMap(({ usage }) => usage?.memoryBytes ?? [])),
    requestedMemory: latest.findLast(({ requested }) => requested !== null)?.requested?.memoryBytes ?? null,
    failures: groupFailures(latest),
    runs: latest.map((run) => run.id),
    unfinished: unfinished.map((run) => run.id),
  };
}

const hourMs = 3_600_000;
/** The rate is that of the last slides, because a queue may have been slow at first. */
const rateSlides = 100;

/** Slides an hour: from the start of the first job to the last end, or to now while slides are left. */
function rateOf(slides: readonly BatchSlide[], now: number): number | null {
  const ends: number[] = [];
  let start = Infinity;
  let isRunning = false;
  for (const { current } of slides) {
    if (current.startedAt !== null) start = Math.min(start, current.startedAt);
    if (current.stage !== 'finished') isRunning = true;
    // a slide that was canceled, or that never had a job, says nothing about the speed
    else if (current.finishedAt !== null && current.startedAt !== null && current.outcome !== 'canceled')
      ends.push(current.finishedAt);
  }
  if (ends.length === 0) return null;
  ends.sort((a, b) => a - b);
  const before = ends.at(-rateSlides - 1);
  const from = before ?? start;
  const until = isRunning ? now : (ends.at(-1) ?? now);
  const counted = Math.min(ends.length, rateSlides);
  return until - from < 1_000 ? null : (counted * hourMs) / (until - from);
}

function spread(values: number[]): Spread | null {
  const sorted = values.sort((a, b) => a - b);
  const median = sorted[Math.ceil(sorted.length / 2) - 1];
  const worst = sorted.at(-1);
  return median === undefined || worst === undefined ? null : { median, worst, count: sorted.length };
}

/** What all titles begin with, up to a word; null if that is too little to recognize the batch by. */
function commonTitle(runs: readonly BatchRun[]): string | null {
  const titles = runs.flatMap(({ title }) => title ?? []);
  const [first = ''] = titles;
  let length = first.length;
  for (const title of titles) {
    while (!title.startsWith(first.slice(0, length))) length -= 1;
  }
  const isWhole = titles.every((title) => title.length === length);
  const common = first.slice(0, length);
  const words = isWhole
    ? common
    : common.replace(/[^\s]*$/, '').replace(/[\s:,;([{-]+(on|of|for|in)?[\s:-]*$/i, '');
  return words.trim().length < 4 ? null : words.trim();
}

/** Failures by reason, the most frequent first. */
function groupFailures(runs: readonly BatchRun[]): FailureGroup[] {
  const groups = new Map<string, { cause: FailureCause; runs: BatchRun[] }>();
  for (const run of runs) {
    if (run.cause === null) continue;
    const group = groups.get(run.cause.key) ?? { cause: run.cause, runs: [] };
    group.runs.push(run);
    groups.set(run.cause.key, group);
  }
  return [...groups.values()]
    .sort((a, b) => b.runs.length - a.runs.length)
    .map(({ cause, runs: failed }) => ({
      kind: cause.kind,
      count: failed.length,
      reason: cause.text,
      suggestion: suggestionFor(cause),
      runs: failed.map(({ id }) => id),
    }));
}

/** Only what the facts allow: twice of what was not enough, or another attempt where the analysis is not to blame. */
function suggestionFor({ kind, limit }: FailureCause): string | null {
  switch (kind) {
    case 'memory':
      return limit === null
        ? 'start them with more memory'
        : `start them with --slurm_mem ${memoryOption(2 * limit)}`;
    case 'time':
      return limit === null
        ? 'start them with more time'
        : `start them with --slurm_time ${timeLimitOption(2 * limit)}, now ${formatAge(limit)}`;
    case 'node':
    case 'preempted':
      return 'retry them as they are';
    case 'exit':
    case 'other':
      return null;
  }
}
