import type { Clock } from '../../base/clock.js';
import type { GirderJob } from '../../girder/jobs/job.js';
import type { JobRow } from '../../slurm/job.js';
import type { OwnerMessages } from '../executor/executor.js';
import type { RunProgress } from '../run-state/run.js';

/** Milliseconds between two messages that differ in nothing but the expected start. */
const politeMs = 5 * 60_000;

/** What the Girder job's progress says while the analysis waits in Slurm. */
export interface QueueStatusReporter {
  /** The job waits: says so, and why, where that is new. */
  waiting(row: Pick<JobRow, 'state' | 'reason' | 'expectedStart'>): void;
  /** It has its computers and does not run. */
  paused(row: Pick<JobRow, 'state'>): void;
  /** It runs. */
  started(): void;
  /** It has ended: no sentence about waiting or running may stay on a Girder job that is over. */
  ended(): void;
}

/**
 * @param heard what the analysis itself has last said. A short one has said all before anybody sees it run, and what it said
 *   is not replaced.
 * @param wasShown the worker before this one has said that the job waits
 */
export function createQueueStatusReporter(
  girderJob: Pick<GirderJob, 'progress'>,
  words: Pick<OwnerMessages, 'waits' | 'state'>,
  clock: Pick<Clock, 'now' | 'monotonic'>,
  heard: () => RunProgress | null,
  wasShown: boolean,
): QueueStatusReporter {
  /** Our sentence that the Girder job shows; empty for one that an earlier worker wrote, null for none. */
  let ours: string | null = wasShown ? '' : null;
  let heardBefore = heard();
  let shown: { message: string; why: string; start: number | null; at: number } | null = null;

  function instead(message: string): void {
    const own = heard();
    const isReplaced = own !== heardBefore && own !== null && own.message !== null;
    if (isReplaced) ours = null;
    if (ours !== null && (ours !== message || message === '')) {
      girderJob.progress({ message });
      ours = message === '' ? null : message;
    }
    shown = null;
  }

  function say(message: string, why: string, start: number | null): void {
    ours = message;
    heardBefore = heard();
    shown = { message, why, start, at: clock.monotonic() };
    girderJob.progress({ message });
  }

  return {
    waiting({ state, reason, expectedStart }) {
      const now = clock.now();
      const why = words.waits({ state, reason, expectedStart: null });
      const start = expectedStart !== null && expectedStart > now ? expectedStart : null;
      const message = words.waits({ state, reason, expectedStart: start });
      if (shown?.message === message) return;
      // Slurm thinks the start over all the time, but a first one is news
      const isNews = shown === null || shown.why !== why || shown.start === null;
      if (!isNews && clock.monotonic() - (shown?.at ?? 0) < politeMs) return;
      say(message, why, start ?? shown?.start ?? null);
    },
    paused({ state }) {
      const message = words.state(state);
      if (shown?.message !== message) say(message, message, null);
    },
    started: () => instead(words.state({ base: 'RUNNING', flags: [] })),
    ended: () => instead(''),
  };
}
