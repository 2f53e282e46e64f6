import type { FailureCause } from '../batches/failure-cause.js';
import type { Batch } from '../batches/summary.js';

/** What a notice is about: the values of the setting `notices.on`. */
export type NoticeTopic = 'batch' | 'failure' | 'site';

/** Failures for one reason, without texts of containers. */
export interface NoticeReason {
  kind: FailureCause['kind'];
  /** `out of memory at 4G`, `exit code 1`. */
  reason: string;
  count: number;
  /** Ids of the first runs. */
  runs: readonly string[];
}

export interface NoticeBatch {
  id: string;
  image: string;
  cli: string;
  startedAt: string;
  endedAt: string;
  slides: number;
  succeeded: number;
  failed: number;
  canceled: number;
  reasons: readonly NoticeReason[];
}

/** What is wrong at a site. */
export interface NoticeProblem {
  about: 'rabbitmq' | 'slurm' | 'worker';
  text: string;
}

/** What is particular to a topic. `text` is one line for people. */
export type NoticeContent =
  | { topic: 'batch'; text: string; batches: readonly NoticeBatch[] }
  | { topic: 'failure'; text: string; count: number; reasons: readonly NoticeReason[] }
  | { topic: 'site'; text: string; state: 'ill' | 'well'; problems: readonly NoticeProblem[] };

/**
 * What is sent, as JSON. Contains no secrets and no names of users, slides or titles, because it may leave the site. Documented in
 * docs/notices.md.
 */
export type Notice = NoticeContent & {
  version: 1;
  /** When it was made, in ISO 8601. */
  at: string;
  profile: string;
  /** Celery node name. */
  worker: string;
  host: string;
};

/** Maximum numbers of ids per reason, of reasons, and of batches. */
const maxRuns = 20;
const maxReasons = 20;
const maxBatches = 20;

/** Counts failures by their public reason. Bounded, however many there are. */
export interface FailureCounts {
  add(cause: Pick<FailureCause, 'kind' | 'text'>, runs: readonly string[]): void;
  count(): number;
  /** The most frequent first. */
  reasons(): NoticeReason[];
}

export function createFailureCounts(): FailureCounts {
  const reasons = new Map<string, { kind: FailureCause['kind']; count: number; runs: string[] }>();
  let total = 0;
  return {
    add(cause, runs) {
      const known = publicReason(cause);
      const isFull = reasons.size >= maxReasons && !reasons.has(known);
      const reason = isFull ? otherReason : known;
      const counted = reasons.get(reason) ?? { kind: isFull ? 'other' : cause.kind, count: 0, runs: [] };
      counted.count += runs.length;
      counted.runs.push(...runs.slice(0, maxRuns - counted.runs.length));
      reasons.set(reason, counted);
      total += runs.length;
    },
    count: () => total,
    reasons: () =>
      [...reasons].map(([reason, counted]) => ({ ...counted, reason })).sort((a, b) => b.count - a.count),
  };
}

const otherReason = 'another reason';

/** A reason without the text of a container or of Girder, which can name slides and users. */
function publicReason({ kind, text }: Pick<FailureCause, 'kind' | 'text'>): string {
  if (kind === 'other') return otherReason;
  return kind === 'exit' ? (/^(?:exit code|signal) \d+/.exec(text)?.[0] ?? otherReason) : text;
}

/** The notice about runs that failed. Pure. */
export function failureNotice(failures: FailureCounts): NoticeContent {
  const count = failures.count();
  const reasons = failures.reasons();
  return {
    topic: 'failure',
    text: `${count === 1 ? '1 run has failed' : `${count} runs have failed`}: ${listReasons(reasons)}. See: dsa-slurm runs list`,
    count,
    reasons,
  };
}

/** The notice about batches that have ended. Pure. */
export function batchNotice(batches: readonly Batch[]): NoticeContent {
  const ended = batches.slice(0, maxBatches).map(noticeBatch);
  const texts = ended.map(batchText);
  const more = batches.length - ended.length;
  if (more > 0) texts.push(`and ${more} more batches have ended`);
  return { topic: 'batch', text: `${texts.join('; ')}. See: dsa-slurm batches`, batches: ended };
}

function noticeBatch(batch: Batch): NoticeBatch {
  const failures = createFailureCounts();
  for (const { kind, reason, runs } of batch.failures) failures.add({ kind, text: reason }, runs);
  const { id, image, cli, succeeded, failed, canceled } = batch;
  return {
    id,
    image,
    cli,
    startedAt: iso(batch.firstAt),
    endedAt: iso(batch.endedAt ?? batch.lastAt),
    slides: batch.total,
    succeeded,
    failed,
    canceled,
    reasons: failures.reasons(),
  };
}

function batchText({ id, image, cli, slides, succeeded, failed, canceled, reasons }: NoticeBatch): string {
  const parts = [
    `${succeeded} of ${slides} slides succeeded`,
    ...(failed === 0 ? [] : [`${failed} failed (${listReasons(reasons)})`]),
    ...(canceled === 0 ? [] : [`${canceled} canceled`]),
  ];
  return `batch ${plain(id.slice(0, 8))} (${plain(image)} ${plain(cli)}) has ended: ${parts.join(', ')}`;
}

/** The notice about the problems of a site, or that there are none any more. Pure. */
export function siteNotice(problems: readonly NoticeProblem[]): NoticeContent {
  return problems.length === 0
    ? { topic: 'site', text: 'all problems are over', state: 'well', problems }
    : { topic: 'site', text: problems.map(({ text }) => text).join('; '), state: 'ill', problems };
}

/** `3 out of memory at 4G, 1 exit code 1` */
function listReasons(reasons: readonly NoticeReason[]): string {
  return reasons.map(({ reason, count }) => `${count} ${reason}`).join(', ');
}

/** Names come from messages: in a chat, none may mention somebody or become a link. */
function plain(name: string): string {
  return name.slice(0, 200).replaceAll(/[^\w.:/+-]/g, '_');
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
