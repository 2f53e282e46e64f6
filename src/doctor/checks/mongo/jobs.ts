import { queryJobs } from '../../../slurm/commands/squeue.js';
import { runKey } from '../../../slurm/job-identity.js';
import type { Check, Finding } from '../../check.js';
import { count, ok, quoted, skip, warn } from '../../check-result.js';
import { databaseName, withMongo, withoutCredentials } from '../../clients/mongo.js';
import type { JournalFacts } from '../worker/journal.js';

/** Girder's statuses of jobs that something is at work on: RUNNING and CANCELING (contract, section f). */
const busy = [2, 824];
/** Transfers before and after the Slurm job take their time. */
const settledMs = 60 * 60_000;
const shown = 3;

export interface GirderJobRecord {
  id: string;
  title: string;
  celeryTaskId: string | null;
}

/** Girder jobs at which nothing works any more. Pure. */
export function judgeJobs(
  records: readonly GirderJobRecord[],
  slurmKeys: ReadonlySet<string>,
  unfinished: ReadonlySet<string>,
  uri: string,
): Finding {
  const stuck = records.filter(({ celeryTaskId }) => {
    if (celeryTaskId === null) return false;
    return !unfinished.has(celeryTaskId) && !slurmKeys.has(runKey(celeryTaskId));
  });
  if (stuck.length === 0)
    return ok(`${count(records.length, 'Girder job')} long under way, none of them forgotten`);
  const ids = stuck.flatMap(({ id }) => (/^[0-9a-f]{24}$/.test(id) ? [`ObjectId("${id}")`] : [])).join(', ');
  return warn(
    [
      `${count(stuck.length, 'Girder job')} running or canceling for more than an hour, without a run and without a job:`,
      ...stuck.slice(0, shown).map(({ id, title }) => `${id} ${title}`),
    ],
    `mongosh ${quoted(withoutCredentials(uri))} --eval ${quoted(`db.job.updateMany({_id: {$in: [${ids}]}}, {$set: {status: 4}})`)}   # makes them failed`,
  );
}

export const jobs: Check = {
  id: 'mongo.jobs',
  group: 'mongo',
  title: 'Girder jobs that were forgotten',
  needs: ['mongo.database', 'worker.journal'],
  async run({ settings, run, clock, needed, signal }) {
    const { uri } = settings.mongo;
    if (uri === null) return skip('MongoDB does not answer');
    const [records, answer] = await Promise.all([
      withMongo(uri, async (db) =>
        db
          .collection('job')
          .find({
            status: { $in: busy },
            handler: 'celery_handler',
            updated: { $lt: new Date(clock.now() - settledMs) },
          })
          .project({ title: 1, celeryTaskId: 1 })
          .limit(200)
          .toArray(),
      ),
      // what this host runs is in the journal
      settings.worker.executor === 'local'
        ? null
        : queryJobs(run, { kind: 'all' }, { timeoutMs: 4_000, signal }),
    ]);
    if (answer?.kind === 'silence') return skip(`Slurm did not tell its jobs: ${answer.why}`);
    const { runs } = needed('worker.journal') as JournalFacts;
    return judgeJobs(
      records.map((record) => ({
        id: String(record['_id']),
        title: String(record['title'] ?? '')
          .replaceAll(/\p{C}/gu, '?')
          .slice(0, 100),
        celeryTaskId: typeof record['celeryTaskId'] === 'string' ? record['celeryTaskId'] : null,
      })),
      new Set((answer?.rows ?? []).flatMap(({ key }) => (key === null ? [] : [key]))),
      new Set(runs.filter(({ stage }) => stage !== 'finished').map(({ id }) => id)),
      `mongodb://${new URL(withoutCredentials(uri)).host}/${databaseName(uri)}`,
    );
  },
};
