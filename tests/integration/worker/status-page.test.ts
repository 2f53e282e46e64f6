import { randomUUID } from 'node:crypto';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openLab, type Lab } from '../../support/lab.js';
import { celery } from '../celery/bench.js';
import { testSite } from '../../support/test-site.js';

// How Celery's client and Girder's page show a worker with tasks in every state.

let lab: Lab;
let node: string;
/** Celery task ids by the state that they represent. */
const ids = { over: '', failed: '', running: '', staging: '', waiting: '', later: '', nobody: randomUUID() };
const name = 'slicer_cli_web.girder_worker_plugin.direct_docker_run.run';
const eta = new Date(Date.now() + 3_600_000).toISOString();

beforeAll(async () => {
  lab = await openLab({ 'worker.staging': 1 });
  node = lab.settings.worker.name;
  const stageOf = (id: string) => lab.worker.handle.snapshot().runs.find((run) => run.id === id)?.stage;
  const publish = async (args: Parameters<Lab['publish']>[0]['args'], celery = {}): Promise<string> =>
    (await lab.publish({ args }, celery)).celeryTaskId ?? '';

  ids.over = await publish(['Wait', '/etc/hostname']);
  ids.failed = await publish(['Fail']);
  await lab.until(() => [ids.over, ids.failed].every((id) => stageOf(id) === 'finished'), 60_000);
  ids.running = await publish(['Wait', '/never']);
  await lab.until(() => stageOf(ids.running) === 'running', 60_000);
  // its download hangs and occupies the only slot
  const { id: file } = await lab.girder.addFile(lab.girder.rootFolderId, 'slow', Buffer.from('x'.repeat(64)));
  lab.girder.fail((_, path) =>
    path.startsWith(`file/${file}/download`)
      ? { kind: 'hold', begun: { length: 64, bytes: 'x' } }
      : undefined,
  );
  ids.staging = await publish(['Copy', { file, name: 'slow' }]);
  await lab.until(() => stageOf(ids.staging) === 'staging');
  // same Girder, whose only slot is occupied
  ids.waiting = await publish(['Wait', '/never', { apiUrl: true }]);
  ids.later = await publish(['Wait', '/never'], { eta });
  await lab.until(() => [ids.waiting, ids.later].every((id) => stageOf(id) === 'accepted'));
});

afterAll(async () => {
  lab.girder.fail();
  const canceled = [ids.running, ids.staging, ids.waiting, ids.later];
  await lab.producer.revoke(canceled);
  await lab.until(() => lab.worker.handle.snapshot().health.inFlight === 0, 60_000);
  await lab.close();
});

test("Girder's page shows the worker as it is", async () => {
  const [page] = (await celery([{ step: 'girder_page' }])) as [Page[]];
  const shown = page.find((worker) => worker.name === node);
  expect(shown).toMatchObject({
    status: 'Online',
    concurrency: lab.settings.worker.inFlight,
    accepted: 4,
    running: 2,
    completed: 2,
    report: expect.stringContaining('dsa-slurm') as string,
  });
  expect(shown?.uptime).toBeGreaterThan(0);
  expect(shown?.uptime).toBeLessThan(600);
  expect(shown?.activeTasks.map((task) => task['id']).sort()).toEqual([ids.running, ids.staging].sort());
  for (const task of shown?.activeTasks ?? []) {
    expect(task).toMatchObject({ name, type: name, args: [], kwargs: {} });
    expect(Math.abs(Number(task['time_start']) - Date.now() / 1_000)).toBeLessThan(600);
    expect(task['worker_pid']).toBe(process.pid);
  }
  expect(shown?.reservedTasks).toMatchObject([
    { id: ids.waiting, name, type: name, delivery_info: { priority: 0, redelivered: false } },
  ]);
});

interface Page {
  name: string;
  uptime: number;
  activeTasks: Record<string, unknown>[];
  reservedTasks: Record<string, unknown>[];
}

const withId = (id: string) => expect.objectContaining({ id }) as unknown;

describe('celery inspect', () => {
  test.each<[string, () => unknown[], () => unknown]>([
    ['ping', () => [], () => ({ ok: 'pong' })],
    [
      'report',
      () => [],
      () => ({ ok: expect.stringContaining(lab.settings.broker.queues[0] ?? '?') as string }),
    ],
    [
      'active',
      () => [],
      () => expect.toSatisfy((tasks: { id: string }[]) => sameIds(tasks, [ids.running, ids.staging])),
    ],
    ['reserved', () => [], () => [withId(ids.waiting)]],
    ['scheduled', () => [], () => [{ eta, priority: 6, request: withId(ids.later) }]],
    [
      'query_task',
      () => [Object.values(ids)],
      () => ({
        [ids.over]: ['ready', withId(ids.over)],
        [ids.failed]: ['ready', withId(ids.failed)],
        [ids.running]: ['active', withId(ids.running)],
        [ids.staging]: ['active', withId(ids.staging)],
        [ids.waiting]: ['reserved', withId(ids.waiting)],
        [ids.later]: ['scheduled', withId(ids.later)],
      }),
    ],
    ['revoked', () => [], () => []],
    ['registered', () => [], () => expect.arrayContaining([name]) as unknown],
    [
      'stats',
      () => [],
      () =>
        expect.objectContaining({
          total: { [name]: 4 },
          pid: process.pid,
          uptime: expect.any(Number) as number,
          rusage: expect.any(Object) as object,
          broker: expect.objectContaining({ transport: 'amqp' }) as unknown,
        }) as unknown,
    ],
    [
      'active_queues',
      () => [],
      () => [expect.objectContaining({ name: lab.settings.broker.queues[0], durable: true })],
    ],
    [
      'conf',
      () => [],
      () =>
        expect.objectContaining({
          result_backend: 'rpc://',
          task_queues: lab.settings.broker.queues,
        }) as unknown,
    ],
    ['clock', () => [], () => ({ clock: expect.any(Number) as number })],
    [
      'hello',
      () => ['celery@somebody'],
      () => ({ revoked: expect.any(Object) as object, clock: expect.any(Number) as number }),
    ],
  ])('%s', async (method, args, expected) => {
    const [answer] = await celery([{ step: 'inspect', method, destination: [node], args: args() }]);
    expect(answer).toEqual({ [node]: expected() });
  });

  test.each(['active', 'ping'])('%s on the command line', async (method) => {
    const { stdout } = await celeryCommand('inspect', '--json', method);
    // Celery 5.0 prints how many nodes are online after it
    const json = stdout.replace(/\n\s*\d+ nodes? online\.\s*$/, '');
    expect(Object.keys(JSON.parse(json) as object)).toContain(node);
  });

  test('and celery status', async () => {
    const { stdout } = await celeryCommand('status');
    expect(stdout).toContain(node);
    expect(stdout).toMatch(/\d nodes? online/);
  });
});

test('other Celery remote control commands are answered and have no effect', async () => {
  const to = { destination: [node] };
  const control = (method: string, args: Record<string, unknown> = {}) => ({
    step: 'control',
    method,
    arguments: args,
    ...to,
  });
  const error = { error: expect.any(String) as string };
  const asked: [ReturnType<typeof control>, unknown][] = [
    [control('enable_events'), { ok: 'task events enabled' }],
    [control('enable_events'), { ok: 'task events already enabled' }],
    [control('disable_events'), { ok: 'task events disabled' }],
    [control('disable_events'), { ok: 'task events already disabled' }],
    [control('heartbeat'), null],
    [control('pool_grow', { n: 1 }), error],
    [control('pool_shrink', { n: 1 }), error],
    [control('pool_restart'), error],
    [control('autoscale', { max: 3, min: 1 }), error],
    [control('rate_limit', { task_name: name, rate_limit: '1/m' }), error],
    [control('time_limit', { task_name: name, soft: 1, hard: 2 }), error],
    [control('add_consumer', { queue: 'local' }), error],
    [control('cancel_consumer', { queue: lab.settings.broker.queues[0] }), error],
    [control('revoke_by_stamped_headers', { headers: { a: 'b' } }), error],
    [control('revoke', { task_id: ids.nobody, terminate: true }), { ok: 'terminate: tasks unknown' }],
    [control('shutdown'), error],
  ];
  const answers = await celery(asked.map(([step]) => step));
  expect(answers).toEqual(asked.map(([, answer]) => [{ [node]: answer }]));
  const [queues, active, revoked] = await celery(
    ['active_queues', 'active', 'revoked'].map((method) => ({ step: 'inspect', method, ...to })),
  );
  expect(queues).toMatchObject({ [node]: [{ name: lab.settings.broker.queues[0] }] });
  expect((active as Record<string, unknown[]>)[node]).toHaveLength(2);
  expect(revoked).toEqual({ [node]: [ids.nobody] });
  expect(lab.worker.shutdown.aborted).toBe(false);
});

const sameIds = (tasks: { id: string }[], wanted: string[]): boolean =>
  JSON.stringify(tasks.map(({ id }) => id).sort()) === JSON.stringify(wanted.sort());

/** Celery's own program. All workers are asked: `--destination` of Celery 5.0.0 ends in a ValueError. */
async function celeryCommand(...args: string[]) {
  return execa('/usr/bin/python3', ['-m', 'celery', '-b', testSite().amqpUrl, ...args]);
}
