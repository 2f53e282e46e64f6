import { queryJobs } from '../../../slurm/commands/squeue.js';
import { runKey } from '../../../slurm/job-identity.js';
import type { Check, Finding } from '../../check.js';
import { count, ok, quoted, skip, warn } from '../../check-result.js';
import { databaseName, withMongo, withoutCredentials } from '../../clients/mongo.js';

/** Girder's job statuses RUNNING and CANCELING. */
const activeStatuses = [2, 824];
/** Allows for transfers before and after the Slurm job. */
const settledMs = 60 * 60_000;
const shown = 3;

export interface GirderJobRecord {
  id: string;
  title: string;
  celeryTaskId: string | null;
}

/** Finds active Girder jobs that have neither a run nor a Slurm job. */
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
    return ok(`${count(records.length, 'Girder job')} active for more than an hour, none of them orphaned`);
  const ids = stuck.flatMap(({ id }) => (/^[0-9a-f]{24}$/.test(id) ? [`ObjectId("${id}")`] : [])).join(', ');
  return warn(
    [
      `${count(stuck.length, 'Girder job')} running or canceling for more than an hour without a run or a Slurm job:`,
      ...stuck.slice(0, shown).map(({ id, title }) => `${id} ${title}`),
    ],
    `mongosh ${quoted(withoutCredentials(uri))} --eval ${quoted(`db.job.updateMany({_id: {$in: [${ids}]}}, {$set: {status: 4}})`)}   # marks them as failed`,
  );
}

export const jobs: Check = {
  id: 'mongo.jobs',
  group: 'mongo',
  title: 'orphaned Girder jobs',
  needs: ['mongo.database', 'worker.journal'],
  async run({ settings, run, clock, needed, signal }) {
    const { uri } = settings.mongo;
    if (uri === null) return skip('MongoDB does not answer');
    const [records, answer] = await Promise.all([
      withMongo(uri, async (db) =>
        db
          .collection('job')
          .find({
            status: { $in: activeStatuses },
            handler: 'celery_handler',
            updated: { $lt: new Date(clock.now() - settledMs) },
          })
          .project({ title: 1, celeryTaskId: 1 })
          .limit(200)
          .toArray(),
      ),
      // local jobs are in the journal
      settings.worker.executor === 'local'
        ? null
        : queryJobs(run, { kind: 'all' }, { timeoutMs: 4_000, signal }),
    ]);
    if (answer?.kind === 'silence') return skip(`Slurm did not list its jobs: ${answer.why}`);
    const { runs } = needed('worker.journal');
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
