import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BrokerState } from '../../../src/wizard/migrate/celery-workers.js';
import { celery, createTrial, until } from '../celery/bench.js';
import { runCli } from '../../unit/cli/support.js';
import { testSite } from '../../support/test-site.js';

/**
 * Python with Celery. To test the girder_worker of PyPI, name the Python of a virtual environment that has it, such as those
 * that `npm run test:girder` keeps in the cache of the tests.
 */
const python = process.env['DSA_SLURM_TEST_OLD_WORKER'] ?? '/usr/bin/python3';

/** Python may need this long to start, and each look waits for two seconds. */
const busyMs = 60_000;

/** A real Celery worker with two processes on a queue of its own, and `dsa-slurm migrate` for that queue. */
async function startOldWorker() {
  const directory = await mkdtemp(join(tmpdir(), 'dsa-old-worker-'));
  const queue = `test-${randomUUID()}`;
  const node = `celery@${randomUUID()}`;
  const { amqpUrl } = testSite();
  const child = spawn(python, [`${import.meta.dirname}/old_worker.py`, queue, node, directory], {
    stdio: 'ignore',
    // root is asked not to unpickle
    env: {
      ...process.env,
      C_FORCE_ROOT: '1',
      GIRDER_WORKER_BROKER: amqpUrl,
      GIRDER_WORKER_BACKEND: amqpUrl.replace(/^amqp/, 'rpc'),
    },
  });
  const go = async () => writeFile(join(directory, 'go'), '');
  onTestFinished(async () => {
    await go();
    await stop(child, 'SIGTERM');
    await rm(directory, { recursive: true });
  });
  const env = { HOME: directory, DSA_SLURM_BROKER_URL: amqpUrl, DSA_SLURM_BROKER_QUEUES: queue };
  const migrate = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli(['migrate', ...args, '--json'], { env });
    return { code, stderr, answer: JSON.parse(stdout) as unknown };
  };
  return {
    queue,
    node,
    go,
    migrate,
    child,
    async ids(word: string): Promise<string[]> {
      const log = await readFile(join(directory, 'log'), 'utf8').catch(() => '');
      return log
        .split('\n')
        .flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
    },
    async publish(count: number): Promise<string[]> {
      const step = { step: 'publish', name: 'old.hold', queue };
      return (await celery(Array.from({ length: count }, () => ({ ...step })))) as string[];
    },
    async self() {
      const { workers } = (await migrate('status')).answer as BrokerState;
      return workers.find((worker) => worker.node === node);
    },
  };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

describe('migrate, with a real Celery worker', () => {
  test('drains it with tasks in flight and goes back: no task is lost, none runs twice', async () => {
    const { queue, node, go, migrate, ids, publish, self } = await startOldWorker();
    const first = await publish(5);
    await until(async () => {
      const { tasks, queues, kind } = (await self()) ?? {};
      expect({ kind, queues }).toEqual({ kind: 'python', queues: [queue] });
      expect(tasks?.map(({ state }) => state).toSorted()).toEqual([
        'running',
        'running',
        'waiting',
        'waiting',
      ]);
    }, busyMs);

    const drained = migrate('drain');
    await until(async () => expect(await self()).toMatchObject({ queues: [] }), busyMs);
    const later = await publish(2);
    // this worker takes what waits in the queue, while the other one still runs its tasks
    const { broker, tasks, nodeName } = createTrial({ queues: [queue] });
    await broker.start();
    await until(() => expect(tasks).toHaveLength(3));
    expect(await ids('end')).toEqual([]);
    await go();
    expect(await drained).toEqual({
      code: 0,
      stderr: expect.stringContaining(`${node}: `) as string,
      answer: { nodes: [node], lost: [], silent: 0, waited: true },
    });

    const ended = await ids('end');
    expect(ended).toHaveLength(4);
    expect([...ended, ...tasks.map(({ id }) => id)].toSorted()).toEqual([...first, ...later].toSorted());
    expect((await ids('start')).toSorted()).toEqual(ended.toSorted());
    const { answer } = await migrate('status');
    expect(answer).toMatchObject({ drained: [{ node, queue }] });
    expect((answer as BrokerState).workers).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ node: nodeName, kind: 'dsa-slurm', queues: [queue] }),
        expect.objectContaining({ node, kind: 'python', queues: [], tasks: [] }),
      ]),
    );

    await broker.pauseConsuming();
    expect(await migrate('undo', '--yes')).toMatchObject({
      code: 0,
      answer: { consumers: [{ node, queue, problem: null }] },
    });
    const [again] = await publish(1);
    await until(async () => expect(await ids('end')).toContain(again), busyMs);
  });
});
