import { errorLine } from '../../base/errors.js';
import type { GirderJobRef } from '../../girder/protocol/analysis.js';
import {
  createGirderJob,
  silentGirderJob,
  type GirderJob,
  type GirderJobOptions,
} from '../../girder/jobs/job.js';
import { mapApiUrl } from '../../girder/api/api-url.js';
import { openSession } from '../../girder/api/requests-session.js';
import { readGirderJob } from '../../girder/protocol/read-job.js';
import type { RunStore } from '../run-state/run-store.js';
import { offsetsOf } from '../logs/log-offsets.js';
import type { Run } from '../run-state/run.js';

/** The reporter of a run's Girder job; a silent one if the task names none or its reference is invalid. */
export async function openGirderJob(
  run: Run,
  runStore: RunStore,
  options: Omit<GirderJobOptions, 'onSending' | 'onSent' | 'connection' | 'isNew'>,
): Promise<GirderJob> {
  // the callbacks below must not keep this version of the run
  const { id } = run;
  let ref: GirderJobRef | null = null;
  try {
    ref = readGirderJob(run.task.headers);
  } catch (error) {
    options.log.error(
      { run: run.id, why: errorLine(error) },
      'invalid reference to a Girder job; this run is not reported',
    );
  }
  if (ref === null) return silentGirderJob();
  runStore.recordVolatile(run.id, { type: 'described', description: { girderJobId: ref.id } });
  const scheme = mapApiUrl(ref.url, options.apiUrlMap).startsWith('https:') ? 'https' : 'http';
  const { connection, notes } = await openSession(ref.session, scheme);
  const girderJob = createGirderJob(ref, {
    ...options,
    connection,
    isNew: run.stage === 'accepted' && run.retryOf === null,
    // journaling fails only when the worker stops
    onSending: async (marks, piece) => {
      const { log, streams } = offsetsOf(marks);
      await runStore.record(id, { type: 'log-sending', upTo: log, streams, piece }).catch(() => undefined);
    },
    onSent: (marks) => {
      const { log, streams } = offsetsOf(marks);
      void runStore.record(id, { type: 'log-sent', offset: log, streams }).catch(() => undefined);
    },
  });
  if (run.stage === 'accepted') for (const note of notes) girderJob.log(`${note}\n`);
  return girderJob;
}
