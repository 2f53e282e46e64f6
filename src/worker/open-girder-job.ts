import { errorLine } from '../base/errors.js';
import type { GirderJobRef } from '../girder/analysis.js';
import { createGirderJob, silentGirderJob, type GirderJob, type GirderJobOptions } from '../girder/job.js';
import { readGirderJob } from '../girder/read-job.js';
import type { Book } from './book.js';
import type { Run } from './run.js';

/** The reporter of a run's Girder job. A task that names no Girder job, or names it wrongly, reports to nobody. */
export function openGirderJob(
  run: Run,
  book: Book,
  options: Omit<GirderJobOptions, 'onSending' | 'onSent'>,
): GirderJob {
  let ref: GirderJobRef | null = null;
  try {
    ref = readGirderJob(run.task.headers);
  } catch (error) {
    options.log.error(
      { run: run.id, why: errorLine(error) },
      'the Girder job of this task cannot be told of anything',
    );
  }
  if (ref === null) return silentGirderJob();
  book.note(run.id, { type: 'described', description: { girderJobId: ref.id } });
  return createGirderJob(ref, {
    ...options,
    // both are rejected only when the worker ends
    onSending: async (upTo) => {
      await book.record(run.id, { type: 'log-sending', upTo }).catch(() => undefined);
    },
    onSent: (offset) => {
      void book.record(run.id, { type: 'log-sent', offset }).catch(() => undefined);
    },
  });
}
