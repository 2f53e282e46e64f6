import { describe, expect, test } from 'vitest';
import { taskMessage, type OutgoingTask } from '../../../../src/celery/messages/task-message.js';

const now = Date.UTC(2026, 10, 23, 10);
const site = { now, origin: 'gen1@host' };
const plain: OutgoingTask = {
  id: 'id-2',
  task: 'some.task',
  exchange: '',
  routingKey: 'celery',
  rootId: 'id-0',
  parentId: 'id-1',
  replyTo: null,
  groupId: null,
  groupIndex: null,
  shadow: null,
  eta: null,
  expires: null,
  retries: 0,
  timeLimits: [null, null],
  priority: 0,
  persistent: true,
  ignoreResult: false,
  argsrepr: '()',
  kwargsrepr: '{}',
  body: '[[], {}, {}]',
};

describe('the message of a task', () => {
  test('has the headers and properties of protocol 2', () => {
    const message = taskMessage(plain, { extra: 1, id: 'not this one' }, site);
    expect(message.content.toString()).toBe('[[], {}, {}]');
    expect({ ...message, content: null }).toEqual({
      exchange: '',
      routingKey: 'celery',
      content: null,
      properties: {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        deliveryMode: 2,
        priority: 0,
        correlationId: 'id-2',
        replyTo: '',
        headers: {
          extra: 1,
          lang: 'py',
          task: 'some.task',
          id: 'id-2',
          shadow: null,
          eta: null,
          expires: null,
          group: null,
          group_index: null,
          retries: 0,
          timelimit: [null, null],
          root_id: 'id-0',
          parent_id: 'id-1',
          argsrepr: '()',
          kwargsrepr: '{}',
          origin: 'gen1@host',
          ignore_result: false,
          replaced_task_nesting: 0,
          stamped_headers: null,
          stamps: {},
        },
      },
    });
  });

  test('is its own root if it has none', () => {
    expect(taskMessage({ ...plain, rootId: null }, {}, site).properties.headers).toMatchObject({
      root_id: 'id-2',
    });
  });

  test.each([
    [120, '2026-11-23T10:02:00.000000+00:00', '120000'],
    [-5, '2026-11-23T09:59:55.000000+00:00', '0'],
    ['2026-11-23T10:00:01.500000', '2026-11-23T10:00:01.500000', '1500'],
    ['2026-11-23T12:00:00+02:00', '2026-11-23T12:00:00+02:00', '0'],
    ['never', 'never', '0'],
  ])('expires %s: header and property', (expires, header, expiration) => {
    const { properties } = taskMessage({ ...plain, expires, persistent: false }, {}, site);
    expect(properties).toMatchObject({ expiration, deliveryMode: 1, headers: { expires: header } });
  });

  test('turns a countdown into an eta', () => {
    const { headers } = taskMessage({ ...plain, eta: 1.5 }, {}, site).properties;
    expect(headers).toMatchObject({ eta: '2026-11-23T10:00:01.500000+00:00' });
  });
});
