import { hostname } from 'node:os';

import type { Clock } from '../../base/clock.js';
import { coerceError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { maskText } from '../../base/text/redact.js';
import { createBatchRuns } from '../batches/batch-run.js';
import { failureCause } from '../batches/failure-cause.js';
import { groupIntoBatches } from '../batches/group.js';
import { summarizeBatches, type Batch } from '../batches/summary.js';
import type { RunStore } from '../run-state/run-store.js';
import type { Run } from '../run-state/run.js';
import type { StatusProblem } from '../runs/service-status.js';
import {
  batchNotice,
  createFailureCounts,
  failureNotice,
  siteNotice,
  type Notice,
  type NoticeContent,
  type NoticeProblem,
  type NoticeTopic,
} from './notice.js';
import type { NoticeTarget } from './targets.js';

export interface NoticesOptions {
  profile: string;
  /** Celery node name. */
  worker: string;
  on: readonly NoticeTopic[];
  /** Minimum milliseconds between two notices about the same topic. */
  intervalMs: number;
  targets: readonly NoticeTarget[];
  runStore: Pick<RunStore, 'get' | 'all' | 'subscribe'>;
  /** What is wrong at present. */
  problems: () => readonly StatusProblem[];
  clock: Clock;
  log: Log;
  /** Aborts when the worker stops. */
  stopping: AbortSignal;
}

/** Milliseconds between two looks at what there is to report. */
const lookEveryMs = 5_000;
/** A burst of failures, or a batch, has ended when nothing has followed for this long. */
const quietMs = 30_000;
/** A problem of the site is reported once it has lasted this long, and so is its end. */
const lastingMs = 60_000;
/** Waits before a failed delivery is attempted again. */
const retryMs = [10_000, 60_000];
/** How long a stopping worker waits for the last notices. */
const lastMs = 3_000;

/**
 * Sends notices about what happens in a worker: at most one about a topic within an interval, in which everything is counted that has
 * happened meanwhile. Deliveries run beside the worker; their failures are only logged.
 * @returns sends what is left and stops this, within three seconds; never rejects
 */
export function sendNotices(options: NoticesOptions): () => Promise<void> {
  const { on, intervalMs, runStore, clock, log, stopping } = options;
  const lastSent = new Map<NoticeTopic, number>();
  const deliveries = new Map<NoticeTopic, Promise<unknown>>();
  const closed = new AbortController();
  const read = createBatchRuns();
  let failures = createFailureCounts();
  let firstFailureAt = 0;
  let lastFailureAt = 0;
  let finished = new Set<string>();
  let batchesAt = -Infinity;
  const since = new Map<NoticeProblem['about'], number>();
  const reported = new Set<NoticeProblem['about']>();
  let wellSince = clock.monotonic();

  /** A notice must never harm a run. */
  function guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      log.error({ err: coerceError(error) }, 'internal error in the notices');
    }
  }

  function noteFinished(run: Run): void {
    if (on.includes('batch')) finished.add(run.id);
    const cause = on.includes('failure') ? failureCause(run) : null;
    if (cause === null) return;
    lastFailureAt = clock.monotonic();
    if (failures.count() === 0) firstFailureAt = lastFailureAt;
    failures.add(cause, [run.id]);
  }

  function isFree(topic: NoticeTopic, now: number): boolean {
    return !deliveries.has(topic) && now - (lastSent.get(topic) ?? -Infinity) >= intervalMs;
  }

  function send(content: NoticeContent): void {
    const { topic } = content;
    const notice: Notice = {
      version: 1,
      ...content,
      at: new Date(clock.now()).toISOString(),
      profile: options.profile,
      worker: options.worker,
      host: hostname(),
    };
    lastSent.set(topic, clock.monotonic());
    const json = JSON.stringify(notice);
    const before = deliveries.get(topic);
    const delivery = Promise.all([
      before,
      ...options.targets.map(async (target) => deliver(target, topic, json)),
    ]).finally(() => {
      if (deliveries.get(topic) === delivery) deliveries.delete(topic);
    });
    deliveries.set(topic, delivery);
  }

  async function deliver(target: NoticeTarget, topic: NoticeTopic, json: string): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const why = await target
        .send(json, closed.signal)
        .catch((error: unknown) => maskText(coerceError(error).message));
      if (why === null) {
        log.info({ topic, by: target.name }, 'notice sent');
        return;
      }
      const waitMs = retryMs[attempt];
      const isLast = waitMs === undefined || stopping.aborted;
      log.warn({ topic, by: target.name, why }, isLast ? 'notice not sent' : 'notice not sent; trying again');
      if (isLast) return;
      await clock.sleep(waitMs, stopping);
    }
  }

  function lookAtFailures(now: number, isEnd: boolean): void {
    if (failures.count() === 0) return;
    const isOver = now - lastFailureAt >= quietMs || now - firstFailureAt >= intervalMs;
    if (!isEnd && !(isOver && isFree('failure', now))) return;
    const counted = failures;
    failures = createFailureCounts();
    send(failureNotice(counted));
  }

  function lookAtBatches(now: number, isEnd: boolean): void {
    if (finished.size === 0) return;
    if (!isEnd && !(now - batchesAt >= quietMs && isFree('batch', now))) return;
    batchesAt = now;
    const runs = [...runStore.all()].flatMap((run) => read(run) ?? []);
    const ended: Batch[] = [];
    const waiting = new Set<string>();
    for (const batch of summarizeBatches(groupIntoBatches(runs), clock.now())) {
      const changed = batch.runs.filter((id) => finished.has(id));
      if (changed.length === 0) continue;
      const isOver = batch.endedAt !== null && (isEnd || clock.now() - batch.endedAt >= quietMs);
      if (isOver) ended.push(batch);
      else for (const id of changed) waiting.add(id);
    }
    finished = waiting;
    if (ended.length > 0) send(batchNotice(ended));
  }

  function lookAtSite(now: number): void {
    const problems = options.problems();
    for (const about of since.keys()) if (!problems.some((each) => each.about === about)) since.delete(about);
    for (const { about } of problems) if (!since.has(about)) since.set(about, now);
    if (problems.length > 0) wellSince = now;
    if (!isFree('site', now)) return;
    const lasting = problems.filter(({ about }) => now - (since.get(about) ?? now) >= lastingMs);
    if (lasting.some(({ about }) => !reported.has(about))) {
      for (const { about } of lasting) reported.add(about);
      send(siteNotice(lasting.map(({ about, text }) => ({ about, text: maskText(text) }))));
    } else if (reported.size > 0 && now - wellSince >= lastingMs) {
      reported.clear();
      send(siteNotice([]));
    }
  }

  function look(isEnd: boolean): void {
    const now = clock.monotonic();
    guarded(() => lookAtFailures(now, isEnd));
    guarded(() => lookAtBatches(now, isEnd));
    if (on.includes('site') && !isEnd) guarded(() => lookAtSite(now));
  }

  const unsubscribe = runStore.subscribe((run, { type }) => {
    if (type === 'finished') guarded(() => noteFinished(run));
  });
  const timer = setInterval(() => look(false), lookEveryMs).unref();

  return async () => {
    unsubscribe();
    clearInterval(timer);
    look(true);
    await Promise.race([Promise.all(deliveries.values()), clock.sleep(lastMs, closed.signal)]);
    closed.abort();
  };
}
