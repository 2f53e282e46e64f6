import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

import type { Channel, ChannelModel, GetMessage } from 'amqplib';
import { connect } from '../../../src/celery/amqp/amqplib.js';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { decodePickle } from '../../../src/girder/pickle/jsonpickle.js';
import { expectStatus, image, openLab, status, statuses, type Lab } from '../../support/lab.js';
import { testSite } from '../../support/test-site.js';

const env = {
  PATH: process.env['PATH'],
  CANVAS_BROKER: testSite().amqpUrl,
  C_FORCE_ROOT: '1',
  PYTHONDONTWRITEBYTECODE: '1',
};
/** Debian's Celery, unless another version is to be compared. */
const python = process.env['DSA_SLURM_TEST_PYTHON'] ?? '/usr/bin/python3';

let celeryVersion = '';
let lab: Lab;
let connection: ChannelModel;
let channel: Channel;
let celery: ChildProcess;
/** The queue of a real Celery worker, whose container tasks do nothing. */
const celeryQueue = `canvas-${randomUUID()}`;

beforeAll(async () => {
  celeryVersion = (await execa(python, ['-c', 'import celery; print(celery.__version__)'])).stdout;
  lab = await openLab();
  connection = await connect(testSite().amqpUrl);
  channel = await connection.createChannel();
  await channel.assertQueue(celeryQueue, { durable: true });
  const quiet = ['--without-gossip', '--without-mingle', '--without-heartbeat', '--loglevel=ERROR'];
  celery = spawn(
    python,
    [
      '-m',
      'celery',
      '-A',
      'canvas_app',
      'worker',
      '-P',
      'solo',
      '-Q',
      celeryQueue,
      '-n',
      celeryQueue,
      ...quiet,
    ],
    { cwd: import.meta.dirname, env, stdio: 'ignore' },
  );
  await lab.until(async () => (await channel.checkQueue(celeryQueue)).consumerCount > 0);
});

afterAll(async () => {
  celery.kill('SIGTERM');
  if (celery.exitCode === null) await once(celery, 'exit');
  await channel.deleteQueue(celeryQueue);
  await connection.close();
  await lab.close();
});

interface Wish {
  first: object;
  rest?: unknown;
  link?: unknown[];
  link_error?: unknown[];
  options?: object;
}

async function publish(...wishes: Wish[]): Promise<void> {
  await execa(python, ['canvas_app.py'], { cwd: import.meta.dirname, env, input: JSON.stringify(wishes) });
}

const plainTask = 'girder_worker.docker.tasks.docker_run';
const pickledTask = 'slicer_cli_web.girder_worker_plugin.direct_docker_run.run';

const container = (task: string, ...args: string[]) =>
  task === plainTask
    ? { task, args: [image], kwargs: { container_args: args } }
    : { task, kwargs: { image, container_args: args } };

/** The messages that dsa-slurm and a real Celery worker publish after the same task, and the results of both. */
async function bothAfter(
  make: (next: string, results: string) => Wish,
  counts: { ours: number; theirs: number },
): Promise<[unknown[], unknown[]]> {
  const queues = [
    [lab.settings.broker.queues[0], counts.ours],
    [celeryQueue, counts.theirs],
  ] as const;
  const sides = queues.map(async ([queue, count]) => {
    const next = randomUUID();
    const results = randomUUID();
    for (const name of [next, results]) await channel.assertQueue(name, { durable: true });
    try {
      const wish = make(next, results);
      await publish({ ...wish, options: { ...wish.options, queue, reply_to: results } });
      // the order across the two queues depends on when they are read
      const messages: Record<string, unknown[]> = { [next]: [], [results]: [] };
      await lab.until(async () => {
        for (const [name, received] of Object.entries(messages)) {
          for (let got = await channel.get(name, { noAck: true }); got !== false;) {
            received.push(shown(got));
            got = await channel.get(name, { noAck: true });
          }
        }
        return Object.values(messages).flat().length >= count;
      });
      return withoutNames(Object.values(messages).flat());
    } finally {
      for (const name of [next, results]) await channel.deleteQueue(name);
    }
  });
  const [ours, theirs] = await Promise.all(sides);
  return [ours ?? [], theirs ?? []];
}

/** A message in comparable form, without exception texts and publishing host, which differ between workers. */
function shown({ properties, content, fields }: GetMessage): Record<string, unknown> {
  const body = JSON.parse(content.toString()) as Record<string, unknown>;
  const { headers = {}, expiration, ...rest } = properties;
  // added by Celery 5.7; clients that wait for a result do not need it
  delete body['date_done'];
  if (body['status'] === 'FAILURE') Object.assign(body, { result: 'an exception', traceback: null });
  if (headers['origin'] !== undefined) {
    expect(headers['origin']).toMatch(/^gen\d+@\S+$/);
    headers['origin'] = 'gen@host';
  }
  for (const name of ['eta', 'expires']) {
    const date = headers[name];
    if (typeof date !== 'string') continue;
    expect(date).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    headers[name] = Math.round((Date.parse(date) - Date.now()) / 60_000);
  }
  return {
    exchange: fields.exchange,
    ...rest,
    // omitted by some versions of Celery; equivalent for RabbitMQ
    priority: rest.priority ?? 0,
    expiration: expiration === undefined ? null : Math.round(Number(expiration) / 60_000),
    headers,
    body: 'status' in body ? body : decodePickle(body),
  };
}

/** Whether the installed Celery is older than this release 5.x. */
function isOlderThan(other: number): boolean {
  const [major = 0, minor = 0] = celeryVersion.split('.').map(Number);
  return major < 5 || (major === 5 && minor < other);
}

/**
 * Messages of dsa-slurm without what the installed Celery does not do: dsa-slurm publishes like the newest (5.7.0), Debian has
 * an older one. Headers of stamping came with 5.3; before 5.5 only some members of groups had numbers; 5.0 (Debian 11) lets no
 * message expire in RabbitMQ, and shows the arguments of an immutable member of a group as a list.
 */
function asInstalledCeleryPublishes(messages: unknown[]): unknown[] {
  const stamping = ['replaced_task_nesting', 'stamped_headers', 'stamps'];
  return messages.map((message) => {
    const { headers, ...rest } = message as { headers: Record<string, unknown>; expiration: unknown };
    if (isOlderThan(1)) {
      rest.expiration = null;
      const { group, argsrepr } = headers;
      if (typeof group === 'string' && argsrepr === '(2,)') headers['argsrepr'] = '[2]';
    }
    const known = Object.entries(headers).filter(
      ([name]) =>
        (!isOlderThan(3) || !stamping.includes(name)) && (!isOlderThan(1) || name !== 'ignore_result'),
    );
    const compared = known.map(([name, value]) => [
      name,
      name === 'group_index' && isOlderThan(5) ? null : value,
    ]);
    return { ...rest, headers: Object.fromEntries(compared) as Record<string, unknown> };
  });
}

/** Replaces ids by the order of their first occurrence, so that equality means the same references between tasks. */
function withoutNames(messages: unknown[]): unknown[] {
  const known = new Map<string, string>();
  const text = JSON.stringify(messages, (_, value: unknown) =>
    value instanceof Map ? Object.fromEntries(value) : value,
  );
  return JSON.parse(
    text.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
      const name = known.get(id) ?? `id ${known.size}`;
      known.set(id, name);
      return name;
    }),
  ) as unknown[];
}

const show = ['Show', '/dev/null', 'x'];
const next = (queue: string, args: unknown[], more: object = {}, task = 'canvas.next') => ({
  task,
  args,
  ...more,
  options: { queue, ...(more as { options?: object }).options },
});

describe('follow-ups of a task are published as a real Celery worker publishes them:', () => {
  test.each<[string, number, (queue: string, results: string) => Wish]>([
    [
      'a callback',
      2,
      (queue) => ({
        first: container(plainTask, ...show),
        link: [next(queue, [10, "it's", 1.0, [{ a: null }]])],
      }),
    ],
    [
      'a callback, pickled',
      2,
      (queue) => ({
        first: container(pickledTask, ...show),
        link: [next(queue, [10, 1.0, [{ a: null }]], { kwargs: { b: [true] } }, 'canvas.next_pickled')],
      }),
    ],
    [
      'several callbacks with options',
      3,
      (queue) => ({
        first: container(plainTask, ...show),
        link: [
          next(queue, [1], {
            options: { priority: 3, time_limit: 60, soft_time_limit: 30, shadow: 'a name' },
          }),
          next(queue, [2], {
            immutable: true,
            options: { countdown: 600, expires: 1_200, headers: { extra: [1] }, ignore_result: true },
          }),
        ],
      }),
    ],
    [
      'the next of a chain',
      2,
      (queue) => ({
        first: container(plainTask, ...show),
        rest: [next(queue, [1]), next(queue, [2]), next(queue, [3])],
      }),
    ],
    ['the last of a chain', 2, (queue) => ({ first: container(plainTask, ...show), rest: next(queue, [1]) })],
    [
      'a group at the end of a chain',
      3,
      (queue) => ({
        first: container(plainTask, ...show),
        rest: { group: [next(queue, [1]), next(queue, [2], { immutable: true })] },
      }),
    ],
    [
      'a chain as a callback',
      2,
      (queue) => ({ first: container(plainTask, ...show), link: [[next(queue, [1]), next(queue, [2])]] }),
    ],
    // with a second signature Celery itself fails: jsonpickle gives it a dictionary for its application
    [
      'an errback, pickled',
      2,
      (queue) => ({
        first: container(pickledTask, 'Fail'),
        link_error: [next(queue, [], { kwargs: { more: 1 } }, 'canvas.failed_pickled')],
      }),
    ],
    [
      'errbacks, and the results of what was never started',
      5,
      (queue, results) => ({
        first: container(plainTask, 'Fail'),
        rest: [1, 2].map((arg) => next(queue, [arg], { options: { reply_to: results } })),
        link_error: [
          next(queue, [], { kwargs: { more: 1 } }, 'canvas.failed'),
          next(queue, ['x'], { immutable: true }, 'canvas.failed'),
        ],
      }),
    ],
  ])('%s', async (title, count, make) => {
    // 5.0 publishes no result of what was never started
    const unstarted = isOlderThan(1) && title.includes('never started') ? 2 : 0;
    const [ours, theirs] = await bothAfter(make, { ours: count, theirs: count - unstarted });
    expect(ours).toHaveLength(count);
    expect(theirs).toHaveLength(count - unstarted);
    const [own, real] = [ours.slice(0, theirs.length), theirs].map(asInstalledCeleryPublishes);
    expect(own).toEqual(real);
  });
});

/** A Girder job, and the headers that Girder's task for it has. */
function girderTask(title: string) {
  const { girder } = lab;
  const taskId = randomUUID();
  const job = girder.createJob({ title, type: 'test', celeryTaskId: taskId });
  const headers = {
    jobInfoSpec: girder.jobInfoSpec(job),
    girder_api_url: girder.apiUrl,
    girder_client_token: girder.clientToken(),
  };
  return { taskId, job, headers };
}

test('a chain of container tasks runs to its end, each with a Girder job below the one before', async () => {
  const [queue = ''] = lab.settings.broker.queues;
  const end = randomUUID();
  await channel.assertQueue(end, { durable: true });
  const { taskId, job, headers } = girderTask('First');
  const first = container(plainTask, ...show);
  const second = container(plainTask, ...show);
  await publish({
    first: { ...first, options: { queue, task_id: taskId } },
    rest: [
      { ...second, immutable: true, options: { queue, girder_job_title: 'Second' } },
      next(end, ['the end'], { immutable: true }),
    ],
    options: { headers },
  });
  const last = await lab.until(async () => {
    const got = await channel.get(end, { noAck: true });
    return got === false ? null : got;
  }, 60_000);
  await channel.deleteQueue(end);
  expectStatus(await lab.ended(job), status.success);
  const child = lab.girder.jobs().find(({ parentId }) => parentId === job.id);
  if (child === undefined) throw new Error('the second task has no Girder job');
  expectStatus(await lab.ended(child), status.success);
  expect(child.title).toBe('Second');
  expect(child.log.join('')).toContain('setting: none');
  expect(statuses(child)).toEqual([status.running, status.success]);
  const grandchild = lab.girder.jobs().find(({ parentId }) => parentId === child.id);
  const published = (last.properties.headers ?? {}) as Record<string, unknown>;
  expect(published).toMatchObject({
    root_id: taskId,
    parent_id: child.celeryTaskId,
    id: grandchild?.celeryTaskId,
    girder_api_url: lab.girder.apiUrl,
    girder_client_token: headers.girder_client_token,
    jobInfoSpec: { reference: grandchild?.id, method: 'PUT' },
  });
  const slurmJobs = lab.worker.handle
    .snapshot()
    .runs.filter(({ id }) => [taskId, child.celeryTaskId].includes(id));
  expect(new Set(slurmJobs.map(({ jobId }) => jobId)).size).toBe(2);
});

test('a task with a countdown stays INACTIVE until it is due, across a restart of the worker', async () => {
  const own = await openLab();
  try {
    const [queue] = own.settings.broker.queues;
    const { girder } = own;
    const taskId = randomUUID();
    const job = girder.createJob({ title: 'Later', type: 'test', celeryTaskId: taskId });
    const due = Date.now() + 6_000;
    await publish({
      first: { ...container(plainTask, ...show), options: { queue, task_id: taskId, countdown: 6 } },
      options: { headers: { jobInfoSpec: girder.jobInfoSpec(job) } },
    });
    const stages = () => own.worker.handle.snapshot().runs.map(({ stage }) => stage);
    await own.until(() => stages().length > 0);
    await own.worker.stop();
    await own.startWorker();
    expect(stages()).toEqual(['accepted']);
    expect(girder.job(job.id)?.status).toBe(0);
    const ended = await own.ended(job);
    expectStatus(ended, status.success);
    expect(statuses(ended)).toEqual([status.running, status.success]);
    expect(Date.parse(ended.timestamps[0]?.time ?? '')).toBeGreaterThanOrEqual(due - 500);
  } finally {
    await own.close();
  }
});

test('a chord is refused before anything runs, and the Girder log shows why', async () => {
  const [queue] = lab.settings.broker.queues;
  const { job, headers } = girderTask('Chord');
  const wish = { ...container(plainTask, ...show), options: { queue, chord: next('x', []) } };
  await publish({ first: wish, options: { headers } });
  const ended = await lab.ended(job);
  expectStatus(ended, status.error);
  expect(ended.log.join('')).toMatch(/part of a chord/);
  const run = lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === job.id);
  expect(run?.jobId).toBeNull();
});
