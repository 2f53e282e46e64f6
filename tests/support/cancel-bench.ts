import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { connect } from '../../src/celery/amqp/amqplib.js';
import { expect } from 'vitest';

import type { Folder, GirderJob } from '../../src/sandbox/fake-girder/index.js';
import type { Argument, AnalysisRequest } from '../../src/sandbox/producer/message.js';
import type { RunView } from '../../src/worker/views/handle.js';
import { status, statuses, type Lab } from './lab.js';
import { testSite } from './test-site.js';

/** An argument of the test image's `Wait`: a file that never appears. */
export const never = ['Wait', '/never'];

/** An analysis whose caller waits for its result, and the folder where an output of it would be. */
export interface Cancelable {
  id: string;
  girderJob: GirderJob;
  folder: Folder;
}

export interface CancelBench {
  publish(
    args: readonly Argument[],
    more?: Partial<AnalysisRequest>,
    celery?: Record<string, unknown>,
  ): Promise<Cancelable>;
  /** Waits until its run satisfies the condition. */
  runOf(published: Cancelable, wanted: (run: RunView) => boolean): Promise<RunView>;
  /** Slurm's jobs of it, ended ones too, as `<id> <state>`. */
  jobsOf(published: Cancelable): Promise<string[]>;
  /**
   * Waits for the end and fails unless it is that of a canceled run: CANCELED once and last in Girder, one result with
   * that word for the caller, no job in another state than `jobState`, no output, no leftover staged files.
   */
  expectCanceled(
    published: Cancelable,
    word?: 'revoked' | 'terminated' | 'expired',
    jobState?: 'CANCELLED' | 'COMPLETED',
  ): Promise<GirderJob>;
  /** Journal lines that request its cancel. */
  cancelsOf(published: Cancelable): Promise<string[]>;
  /** Broadcasts a revoke with these arguments. */
  control(args: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
}

export async function openCancelBench(lab: Lab): Promise<CancelBench> {
  const connection = await connect(testSite().amqpUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const results: { id: string; body: unknown }[] = [];
  await channel.consume(
    queue,
    (message) => {
      if (message === null) return;
      const body: unknown = JSON.parse(message.content.toString());
      results.push({ id: String(message.properties.correlationId), body });
    },
    { noAck: true },
  );

  async function runOf({ id }: Cancelable, wanted: (run: RunView) => boolean): Promise<RunView> {
    return lab.until(() => {
      const run = lab.worker.handle.snapshot().runs.find((each) => each.id === id);
      return run !== undefined && wanted(run) ? run : null;
    });
  }

  async function jobsOf({ id }: Cancelable): Promise<string[]> {
    const listed = await lab.command('squeue', [
      '--noheader',
      '--states=all',
      `--name=dsa-slurm-${id}`,
      '--format=%i %T',
    ]);
    if (listed.kind !== 'exited' || listed.exitCode !== 0) throw new Error('squeue does not answer');
    return listed.stdout.split('\n').filter((line) => line !== '');
  }

  return {
    runOf,
    jobsOf,
    async publish(args, more = {}, celery = {}) {
      const id = more.taskId ?? randomUUID();
      const folder = lab.girder.addFolder(lab.girder.rootFolderId, `results of ${id}`);
      const output = { output: 'o', toFolder: folder.id, mustExist: false };
      const request = { ...more, args: [...args, output], taskId: id };
      const girderJob = await lab.publish(request, { reply_to: queue, ...celery });
      return { id, girderJob, folder };
    },
    async cancelsOf({ id }) {
      const journal = await readFile(join(lab.settings.dirs.state, 'journal.jsonl'), 'utf8');
      return journal
        .split('\n')
        .filter((line) => line.startsWith(`{"run":"${id}"`) && line.includes('"type":"cancel-requested"'));
    },
    async expectCanceled(published, word = 'revoked', jobState = 'CANCELLED') {
      const { id, girderJob, folder } = published;
      const job = await lab.ended(girderJob);
      const run = await runOf(published, ({ stage }) => stage === 'finished');
      const log = job.log.join('');
      expect({ outcome: run.outcome, log }).toMatchObject({ outcome: 'canceled' });
      const history = statuses(job);
      expect(history.at(-1)).toBe(status.canceled);
      expect(history.filter((each) => each === status.canceled)).toHaveLength(1);

      const jobs = await jobsOf(published);
      expect(jobs.length).toBeLessThanOrEqual(1);
      expect(jobs.filter((line) => !line.endsWith(` ${jobState}`))).toEqual([]);
      expect(lab.girder.items(folder.id)).toEqual([]);
      const left = await readdir(lab.settings.dirs.tmp);
      expect(left.filter((name) => name.includes(id))).toEqual([]);

      const answers = await lab.until(() => {
        const found = results.filter((result) => result.id === id);
        return found.length > 0 ? found : null;
      });
      expect(answers).toMatchObject([
        {
          body: {
            task_id: id,
            status: 'REVOKED',
            result: { exc_type: 'TaskRevokedError', exc_message: [word] },
          },
        },
      ]);
      return job;
    },
    async control(args) {
      const body = { method: 'revoke', arguments: args, destination: null, pattern: null, matcher: null };
      channel.publish('celery.pidbox', '', Buffer.from(JSON.stringify(body)), {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
      });
    },
    close: async () => connection.close(),
  };
}
