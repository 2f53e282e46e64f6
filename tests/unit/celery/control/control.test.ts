import { describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../../../src/base/log.js';
import { readBrokerUrl } from '../../../../src/celery/amqp/broker-url.js';
import {
  answerControl,
  isAddressedTo,
  readControlRequest,
  type ControlRequest,
} from '../../../../src/celery/control/control.js';
import type { ControlContext } from '../../../../src/celery/control/control-replies.js';
import type { ControlTarget, ControlTask } from '../../../../src/celery/control/control-target.js';
import { createLamportClock } from '../../../../src/celery/control/lamport.js';
import { fixtureNames, readFixture } from '../deliveries.js';
import { globMatches } from '../../../../src/base/text/glob.js';

const nodeName = 'celery@worker.example';
const activeTask: ControlTask = {
  id: '00000000-0000-4000-8000-000000000145',
  name: 'cap_tasks.tasks.sleepy',
  queue: 'celery',
  redelivered: false,
  priority: 0,
  eta: null,
  startedAt: 1_795_428_009_215,
};
const waitingTask: ControlTask = {
  ...activeTask,
  id: '00000000-0000-4000-8000-000000000149',
  startedAt: null,
};

function createSite(): ControlContext {
  const clock = createLamportClock();
  clock.adjust(69);
  return {
    nodeName,
    queues: ['celery'],
    prefetch: 2,
    address: readBrokerUrl('amqp://guest:hunter2@rabbitmq.example:5672//'),
    startedAt: 1_795_428_000_000,
    now: () => 1_795_428_009_000,
    clock,
    // as in the capture: task events are already on when enabled and already off when disabled
    events: { setTaskEvents: () => false, heartbeat: () => {} },
    pid: 7988,
    usage: () => process.resourceUsage(),
    log: silentLog(),
  };
}

function createTarget(): ControlTarget & { revokes: { ids: readonly string[]; terminate: boolean }[] } {
  const revokes: { ids: readonly string[]; terminate: boolean }[] = [];
  return {
    revokes,
    revoke: (ids, terminate) => void revokes.push({ ids, terminate }),
    // as in the captures of Celery 5.2 and 5.6
    active: () => [activeTask, { ...activeTask, id: '00000000-0000-4000-8000-000000000201' }],
    activeCount: () => 2,
    reserved: () => [waitingTask],
    scheduled: () => [],
    ready: () => [],
    revoked: () => revokes.flatMap(({ ids }) => ids),
    totals: () => ({ 'cap_tasks.tasks.sleepy': 2 }),
    concurrency: () => 2,
    registered: () => ['b.task', 'a.task'],
    shutdown: null,
  };
}

function request(method: string, args: ControlRequest['arguments'] = {}): ControlRequest {
  const everyone = { destination: null, pattern: null, matcher: null };
  return { method, arguments: args, ...everyone, ticket: null, replyKey: null };
}

const answer = (method: string, args: ControlRequest['arguments'] = {}, target = createTarget()) =>
  answerControl(request(method, args), target, createSite());

/** Arguments, which are not shown, and keys that only Celery 5.6 has. */
const ignored = ['args', 'kwargs', 'implementation', 'credential_provider'];

/** The shape of a value: all keys recursively, and the first element of a list. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([key]) => !ignored.includes(key));
    return Object.fromEntries(entries.map(([key, inner]) => [key, shapeOf(inner)]));
  }
  return value === null ? null : typeof value;
}

/** Response of Girder's `GET worker/status`: by method, then by node. */
function readPage(folder: string, name: string): Record<string, Record<string, unknown>> {
  return readFixture(folder, name) as unknown as Record<string, Record<string, unknown>>;
}

/** Replies that differ, because only the Python worker supports the method, or because it shows its own settings. */
const different = ['conf', 'pool_grow', 'pool_shrink'].concat([
  'time_limit',
  'rate_limit',
  'add_consumer',
  'cancel_consumer',
]);

describe.each(['pidbox', 'pidbox-celery56'])('the requests and answers captured in %s', (folder) => {
  const names = fixtureNames(folder).filter((name) => name.startsWith('request.'));

  test.each(names)('%s', (name) => {
    const captured = readFixture(folder, name);
    const read = readControlRequest(captured.body);
    expect(isAddressedTo(nodeName, read)).toBe(true);
    const value: unknown = JSON.parse(JSON.stringify(answerControl(read, createTarget(), createSite())));

    const replyName = name.replace('request.', 'reply.');
    if (!fixtureNames(folder).includes(replyName)) {
      expect(read.replyKey).toBeNull();
      return;
    }
    const reply = readFixture(folder, replyName);
    expect(read).toMatchObject({ replyKey: reply.routing_key, ticket: reply.headers['ticket'] });
    const expected = (JSON.parse(reply.body) as Record<string, unknown>)[nodeName];
    if (different.includes(read.method)) {
      expect(value).toEqual(read.method === 'conf' ? expect.any(Object) : { error: expect.any(String) });
      // errors that Celery has too look the same
      const { error: _, ...ours } = value as Record<string, unknown>;
      for (const [key, theirs] of Object.entries(expected as Record<string, unknown>)) {
        if (key in ours) expect(shapeOf(ours[key])).toEqual(shapeOf(theirs));
      }
      if (read.method === 'conf') expect(ours).toMatchObject({ result_backend: 'rpc://' });
    } else {
      expect(shapeOf(value)).toEqual(shapeOf(expected));
    }
  });
});

test('the fields that the status page of Girder reads unchecked', () => {
  expect(answer('ping')).toEqual({ ok: 'pong' });
  expect(answer('stats')).toMatchObject({
    total: { 'cap_tasks.tasks.sleepy': 2 },
    pool: { 'max-concurrency': 2 },
  });
  expect(answer('active')).toMatchObject([
    { id: activeTask.id, time_start: 1_795_428_009.215, worker_pid: 7988, hostname: nodeName },
    {},
  ]);
  expect(answer('reserved')).toMatchObject([
    { id: waitingTask.id, time_start: null, worker_pid: null, delivery_info: { redelivered: false } },
  ]);
});

test.each(['pidbox', 'pidbox-celery56'])(
  "the status page's own answer, captured in %s, has what ours have",
  (folder) => {
    const page = readPage(folder, '_worker_status_page.json');
    expect(Object.keys(page).sort()).toEqual(['active', 'ping', 'report', 'reserved', 'stats']);
    for (const [method, captured] of Object.entries(page)) {
      expect(shapeOf(answer(method)), method).toEqual(shapeOf(captured[nodeName]));
    }
  },
);

test('reports the priority that a task was published with', () => {
  const target = { ...createTarget(), reserved: () => [{ ...waitingTask, priority: 7 }] };
  expect(answer('reserved', {}, target)).toMatchObject([{ delivery_info: { priority: 7 } }]);
});

test('reports tasks that wait for their eta', () => {
  const eta = '2026-12-01T10:00:00.000Z';
  const target = { ...createTarget(), scheduled: () => [{ ...waitingTask, id: 'later', eta }] };
  expect(answer('scheduled', {}, target)).toMatchObject([{ eta, priority: 6, request: { id: 'later' } }]);
  expect(answer('query_task', { ids: ['later'] }, target)).toMatchObject({
    later: ['scheduled', { id: 'later' }],
  });
  expect(answer('revoke', { task_id: 'later', terminate: true }, target)).toEqual({ ok: 'terminate: later' });
});

test('the first count, the only one that Girder reads, is that of all tasks', () => {
  const target = { ...createTarget(), totals: () => ({ 'b.task': 2, 'a.task': 1 }) };
  const { total } = answer('stats', {}, target) as { total: Record<string, number> };
  expect(total).toEqual({ '(all tasks)': 3, 'a.task': 1, 'b.task': 2 });
  expect(Object.keys(total).sort()[0]).toBe('(all tasks)');
});

test('a finished task is ready', () => {
  const target = { ...createTarget(), ready: () => [{ ...activeTask, id: 'over' }] };
  expect(answer('query_task', { ids: ['over', waitingTask.id, 'nobody'] }, target)).toMatchObject({
    over: ['ready', { id: 'over', time_start: 1_795_428_009.215 }],
    [waitingTask.id]: ['reserved', { id: waitingTask.id }],
  });
});

test('shutdown works only if allowed, and sends no reply', () => {
  expect(answer('shutdown')).toEqual({ error: expect.stringContaining('worker.remoteShutdown') as string });
  const shutdown = vi.fn();
  expect(answer('shutdown', {}, { ...createTarget(), shutdown })).toBeUndefined();
  expect(shutdown).toHaveBeenCalledOnce();
});

describe('revoke', () => {
  const { id } = activeTask;

  test.each<[string, ControlRequest['arguments'], string, unknown]>([
    ['revoke', { task_id: id }, `tasks ${id} flagged as revoked`, { ids: [id], terminate: false }],
    [
      'revoke',
      { task_id: [id, 'x', id] },
      `tasks ${id}, x flagged as revoked`,
      { ids: [id, 'x'], terminate: false },
    ],
    ['revoke', { task_id: id, terminate: true }, `terminate: ${id}`, { ids: [id], terminate: true }],
    [
      'revoke',
      { task_id: ['x'], terminate: true },
      'terminate: tasks unknown',
      { ids: ['x'], terminate: true },
    ],
    ['terminate', { task_id: [id], signal: 'KILL' }, `terminate: ${id}`, { ids: [id], terminate: true }],
  ])('%s %j', (method, args, text, revoked) => {
    const target = createTarget();
    expect(answer(method, args, target)).toEqual({ ok: text });
    expect(target.revokes).toEqual([revoked]);
  });

  test('ignores invalid task ids', () => {
    const target = createTarget();
    answer('revoke', { task_id: ['../x', 7, null, ['a'], 'ok'] }, target);
    expect(target.revokes).toEqual([{ ids: ['ok'], terminate: false }]);
    answer('revoke', { task_id: { a: 1 } }, target);
    answer('revoke', {}, target);
    expect(target.revokes).toHaveLength(1);
  });
});

describe('answers', () => {
  test('to an unknown method, whatever its name', () => {
    expect(answer('no_such')).toEqual({ error: "KeyError('no_such')" });
    expect(answer('constructor')).toEqual({ error: "KeyError('constructor')" });
    expect(answer('__proto__')).toEqual({ error: "KeyError('__proto__')" });
    expect(answer("it's")).toEqual({ error: `KeyError("it's")` });
  });

  test.each([
    ['pool_grow', 'worker.inFlight'],
    ['pool_shrink', 'worker.inFlight'],
    ['autoscale', 'worker.inFlight'],
    ['time_limit', 'slurm.time'],
    ['rate_limit', 'worker.inFlight'],
    ['add_consumer', 'broker.queues'],
    ['cancel_consumer', 'broker.queues'],
    ['pool_restart', 'dsa-slurm worker'],
    ['revoke_by_stamped_headers', 'Revoke by task id'],
  ])('%s is refused with what to do instead', (method, hint) => {
    expect(answer(method)).toEqual({ error: expect.stringContaining(hint) as string });
  });

  test('to a request that fails with a defect', () => {
    const target = {
      ...createTarget(),
      active: () => {
        throw new Error('boom');
      },
    };
    expect(answer('active', {}, target)).toEqual({ error: "RuntimeError('boom')" });
  });

  test('never contain the broker password', () => {
    for (const method of ['conf', 'report', 'stats', 'active_queues']) {
      expect(JSON.stringify(answer(method))).not.toContain('hunter2');
    }
  });
});

describe('isAddressedTo', () => {
  const everyone = { destination: null, pattern: null, matcher: null };

  test.each<[Parameters<typeof isAddressedTo>[1], boolean]>([
    [everyone, true],
    [{ ...everyone, destination: [] }, true],
    [{ ...everyone, destination: ['celery@other', nodeName] }, true],
    [{ ...everyone, destination: ['celery@other'] }, false],
    [{ ...everyone, pattern: 'celery@*', matcher: 'glob' }, true],
    [{ ...everyone, pattern: '*.example', matcher: 'glob' }, true],
    [{ ...everyone, pattern: 'celery@w?rker.[a-f]xample', matcher: 'glob' }, true],
    [{ ...everyone, pattern: 'celery@w[!o]rker*', matcher: 'glob' }, false],
    [{ ...everyone, pattern: 'worker', matcher: 'glob' }, false],
    [{ ...everyone, pattern: 'celery@workerXexample', matcher: 'glob' }, false],
    [{ ...everyone, pattern: 'celery@worker[', matcher: 'glob' }, false],
    [{ ...everyone, pattern: 'celery@.+', matcher: 'pcre' }, true],
    [{ ...everyone, pattern: 'worker', matcher: 'pcre' }, false],
    [{ ...everyone, pattern: '(', matcher: 'pcre' }, false],
    [{ ...everyone, pattern: 'a', matcher: 'sounds-like' }, false],
    [{ ...everyone, pattern: 'a', matcher: null }, true],
  ])('%j', (addressed, expected) => {
    expect(isAddressedTo(nodeName, addressed)).toBe(expected);
  });

  test.each([
    ['pcre', '^(([a-z@.])+.)+!$'],
    ['glob', '*a'.repeat(400)],
  ])('a %s pattern cannot hold up the worker', (matcher, pattern) => {
    const name = `celery@${'a'.repeat(240)}!?`;
    const began = performance.now();
    expect(isAddressedTo(name, { ...everyone, pattern, matcher })).toBe(false);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('readControlRequest', () => {
  test.each([
    ['not JSON', '{'],
    ['no table', '[1]'],
    ['no method', '{"arguments": {}}'],
    ['a method that is not a string', '{"method": {"a": 1}}'],
    ['an answer into the task queue', '{"method":"ping","reply_to":{"exchange":"","routing_key":"celery"}}'],
    [
      'an endless reply address',
      JSON.stringify({
        method: 'ping',
        reply_to: { exchange: 'reply.celery.pidbox', routing_key: 'é'.repeat(200) },
      }),
    ],
  ])('refuses %s', (_, text) => {
    expect(() => readControlRequest(text)).toThrow();
  });
});

describe('the logical clock', () => {
  test('continues from the highest value and ignores invalid ones', () => {
    const clock = createLamportClock();
    clock.adjust(10);
    expect(clock.forward()).toBe(12);
    for (const other of [undefined, '99', -5, 1.5, Number.NaN, 2 ** 31, 2 ** 60, Infinity])
      clock.adjust(other);
    expect(clock.value()).toBe(12);
    clock.adjust(3);
    expect(clock.value()).toBe(13);
  });
});

test.each([
  ['celery@*', true],
  ['*', true],
  ['celery@w?rker.[a-f]xample', true],
  ['celery@worker.[!a-f]xample', false],
  ['celery@worker.[x-z]xample', false],
  ['celery@worker.exampl[]e]', true],
  ['celery@worker', false],
  ['*example*', true],
  ['celery@worker.example?', false],
  [`${'*a'.repeat(400)}b`, false],
])('the pattern %s is matched as by fnmatch of Python', (pattern, expected) => {
  expect(globMatches(pattern, nodeName, { sets: true })).toBe(expected);
});
