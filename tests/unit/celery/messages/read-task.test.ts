import { describe, expect, test } from 'vitest';
import { errorLine } from '../../../../src/base/errors.js';
import { readFieldTable } from '../../../../src/celery/amqp/read-field-table.js';
import {
  MessageRefused,
  readTask,
  type Delivery,
  type Refusal,
} from '../../../../src/celery/messages/read-task.js';
import { deliveryOf, fixtureNames, readFixture, taskDelivery } from '../deliveries.js';

describe('readTask', () => {
  test.each(fixtureNames('tasks'))('reads the captured message %s', (name) => {
    const message = readFixture('tasks', name);
    const task = readTask(deliveryOf(message));
    expect(task).toMatchObject({
      id: message.properties['correlation_id'],
      name: message.headers['task'],
      headers: message.headers,
      body: message.body,
      queue: message.routing_key,
      replyTo: message.properties['reply_to'],
      correlationId: message.properties['correlation_id'],
      ignoreResult: false,
      rootId: message.headers['root_id'],
      redelivered: false,
    });
    expect(JSON.parse(JSON.stringify(task))).toEqual(task);
  });

  test('converts dates to UTC', () => {
    const task = readTask(
      deliveryOf(readFixture('tasks', 'g3.plain.countdown_expires_priority_timelimit_queue.json')),
    );
    expect(task).toMatchObject({
      eta: '2026-11-23T10:00:32.675Z',
      expires: '2026-11-23T10:02:02.675Z',
      priority: 5,
    });
  });

  test.each([
    ['2026-11-23T10:00:32', '2026-11-23T10:00:32.000Z'],
    ['2026-11-23T12:00:32+02:00', '2026-11-23T10:00:32.000Z'],
  ])('the eta %s is %s', (text, eta) => {
    expect(readTask(taskDelivery({ headers: { eta: text } })).eta).toBe(eta);
  });

  test.each([
    [true, true],
    [false, false],
    // Celery 5.7 publishes a task by its name like this
    [null, false],
  ])('ignore_result %j is %j', (header, ignoreResult) => {
    expect(readTask(taskDelivery({ headers: { ignore_result: header } }))).toMatchObject({ ignoreResult });
  });

  test('uses the queue of the consumer', () => {
    expect(readTask(taskDelivery(), 'other').queue).toBe('other');
  });

  test('keeps unknown headers, decodes byte arrays, and ignores prototypes', () => {
    const headers = { extra: { list: [1, null, Buffer.from('é')] } };
    expect(readTask(taskDelivery({ headers })).headers['extra']).toEqual({ list: [1, null, 'é'] });
    const inherited = Object.create({ task: 'some.task', id: 'x' }) as Record<string, unknown>;
    expect(refusalOf(taskDelivery({ properties: { headers: inherited } })).reason).toMatch('"task" header');
  });

  test('refuses a header table that could not be read completely, and reports what was read', () => {
    const headers = Object.assign(readFieldTable(Buffer.from('02aaaa5a', 'hex')), {
      id: 'x-1',
      task: 'some.task',
    });
    expect(refusalOf(taskDelivery({ properties: { headers } }))).toMatchObject({
      id: 'x-1',
      name: 'some.task',
      reason: 'The header table of the message cannot be read: it has a value of the unknown AMQP type "Z".',
    });
  });

  test.each<[string, Delivery, string]>([
    [
      'pickle',
      properties({ contentType: 'application/x-python-serialize' }),
      'Only application/json is accepted',
    ],
    ['yaml', properties({ contentType: 'application/x-yaml' }), 'Only application/json is accepted'],
    ['no content type', properties({ contentType: undefined }), 'not given'],
    [
      'another encoding',
      properties({ contentEncoding: 'binary' }),
      'content encoding of the message is "binary"',
    ],
    ['protocol 1', taskDelivery({ headers: { task: undefined } }), 'not a Celery message of protocol 2'],
    ['no headers', properties({ headers: undefined }), 'not a Celery message of protocol 2'],
    ['an empty name', taskDelivery({ headers: { task: '' } }), '"task" header'],
    ['a name with control characters', taskDelivery({ headers: { task: 'a\u001b[2Jb' } }), '"task" header'],
    ['a compressed body', taskDelivery({ headers: { compression: 'application/x-gzip' } }), 'compressed'],
    ['a bad eta', taskDelivery({ headers: { eta: 'tomorrow' } }), '"eta"'],
    ['an absurd eta', taskDelivery({ headers: { eta: '9999-12-31T23:59:59' } }), '"eta"'],
    ['an eta that is a number', taskDelivery({ headers: { eta: 1e9 } }), '"eta"'],
    ['a bad expires', taskDelivery({ headers: { expires: '2026-13-45T00:00:00' } }), '"expires"'],
    ['a body that is not JSON', taskDelivery({ content: Buffer.from('{"token": "abc" ') }), 'offset|ends'],
    ['an empty body', taskDelivery({ content: Buffer.alloc(0) }), 'not JSON'],
    ['a body that is not UTF-8', taskDelivery({ content: Buffer.from([0x22, 0xff, 0x22]) }), 'UTF-8'],
    ['a huge body', taskDelivery({ content: Buffer.alloc(16 * 1024 * 1024 + 1, 0x20) }), '16 MiB'],
  ])('refuses %s', (_, delivery, reason) => {
    const refusal = refusalOf(delivery);
    expect(refusal.reason).toMatch(new RegExp(reason));
    expect(refusal.reason).not.toContain('abc');
  });

  test.each([
    undefined,
    null,
    7,
    '',
    '.',
    '..',
    '.hidden',
    '../../etc/passwd',
    'a/b',
    'a b',
    'a\n',
    'a\u0000',
    'é',
    'a'.repeat(201),
  ])('refuses the id %j', (id) => {
    const refusal = refusalOf(taskDelivery({ headers: { id } }));
    expect(refusal.reason).toContain('"id" header');
    expect(refusal.id).toBeNull();
    expect(refusal.name).toBe('some.task');
  });

  test.each(['0', 'my-task:1_a.b', 'a'.repeat(200)])('accepts the id %j', (id) => {
    expect(readTask(taskDelivery({ headers: { id } })).id).toBe(id);
  });

  test('a refusal holds what could be read, so that the Girder job can be failed', () => {
    const jobInfoSpec = { method: 'PUT', url: 'http://girder.example/api/v1/job/1' };
    const refusal = refusalOf(
      taskDelivery({
        headers: { jobInfoSpec },
        properties: {},
        content: Buffer.from('gASVgAAAAA=='),
      }),
    );
    expect(refusal).toMatchObject({
      queue: 'celery',
      id: '4a1b2c3d-0000-4000-8000-000000000001',
      name: 'some.task',
      headers: { jobInfoSpec },
      // and the caller that waits for a result
      replyTo: 'caller',
      correlationId: '4a1b2c3d-0000-4000-8000-000000000001',
      ignoreResult: false,
    });
  });

  test('refuses headers that are nested too deeply, and does not keep them', () => {
    let nested: Record<string, unknown> = {};
    for (let depth = 0; depth < 200; depth += 1) nested = { nested };
    expect(refusalOf(taskDelivery({ headers: { nested } }))).toMatchObject({ id: null, headers: null });
  });
});

function properties(change: Partial<Delivery['properties']>): Delivery {
  return taskDelivery({ properties: change });
}

function refusalOf(delivery: Delivery): Refusal {
  try {
    readTask(delivery);
  } catch (error) {
    if (!(error instanceof MessageRefused)) throw error;
    expect(error.code).toBe('message');
    expect(errorLine(error)).toBe(error.refusal.reason);
    return error.refusal;
  }
  throw new Error('the message was not refused');
}
