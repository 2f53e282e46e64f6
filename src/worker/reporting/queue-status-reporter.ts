import type { Clock } from '../../base/clock.js';
import type { GirderJob } from '../../girder/jobs/job.js';
import type { JobRow } from '../../slurm/job.js';
import type { OwnerMessages } from '../executor/executor.js';
import type { RunProgress } from '../run-state/run.js';

/** Minimum milliseconds between two messages that differ only in the expected start. */
const minUpdateMs = 5 * 60_000;

/** Shows in the Girder job's progress that the analysis waits in Slurm. */
export interface QueueStatusReporter {
  /** The job waits; reports the reason if it has changed. */
  waiting(row: Pick<JobRow, 'state' | 'reason' | 'expectedStart'>): void;
  /** The job has nodes but does not run. */
  paused(row: Pick<JobRow, 'state'>): void;
  /** The job runs. */
  started(): void;
  /** The job has ended; removes a message about waiting or running. */
  ended(): void;
}

/**
 * @param lastProgress the analysis's own last progress. A short analysis may report everything before it is seen running,
 *   and its message is not replaced.
 * @param wasShown whether an earlier worker has shown a waiting message
 */
export function createQueueStatusReporter(
  girderJob: Pick<GirderJob, 'progress'>,
  messages: Pick<OwnerMessages, 'waits' | 'state'>,
  clock: Pick<Clock, 'now' | 'monotonic'>,
  lastProgress: () => RunProgress | null,
  wasShown: boolean,
): QueueStatusReporter {
  /** This reporter's message that the Girder job shows; empty if an earlier worker wrote it, null for none. */
  let current: string | null = wasShown ? '' : null;
  let progressBefore = lastProgress();
  let shown: { message: string; why: string; start: number | null; at: number } | null = null;

  function replace(message: string): void {
    const own = lastProgress();
    const isReplaced = own !== progressBefore && own !== null && own.message !== null;
    if (isReplaced) current = null;
    if (current !== null && (current !== message || message === '')) {
      girderJob.progress({ message });
      current = message === '' ? null : message;
    }
    shown = null;
  }

  function show(message: string, why: string, start: number | null): void {
    current = message;
    progressBefore = lastProgress();
    shown = { message, why, start, at: clock.monotonic() };
    girderJob.progress({ message });
  }

  return {
    waiting({ state, reason, expectedStart }) {
      const now = clock.now();
      const why = messages.waits({ state, reason, expectedStart: null });
      const start = expectedStart !== null && expectedStart > now ? expectedStart : null;
      const message = messages.waits({ state, reason, expectedStart: start });
      if (shown?.message === message) return;
      // Slurm revises the estimated start constantly; report the first one at once and others rarely
      const isNew = shown === null || shown.why !== why || shown.start === null;
      if (!isNew && clock.monotonic() - (shown?.at ?? 0) < minUpdateMs) return;
      show(message, why, start ?? shown?.start ?? null);
    },
    paused({ state }) {
      const message = messages.state(state);
      if (shown?.message !== message) show(message, message, null);
    },
    started: () => replace(messages.state({ base: 'RUNNING', flags: [] })),
    ended: () => replace(''),
  };
}
