import { describe, expect, test } from 'vitest';
import { readTask } from '../../../../src/celery/messages/read-task.js';
import { createResultBuffer } from '../../../../src/celery/result-buffer.js';
import type { TaskChild } from '../../../../src/celery/messages/task.js';
import { resultMessage } from '../../../../src/celery/messages/results.js';
import type { TaskResult } from '../../../../src/celery/messages/task.js';
import { readFixture, taskDelivery } from '../deliveries.js';

describe.each(['results', 'results-celery56'])('resultMessage, beside the captured %s,', (folder) => {
  test.each<[string, TaskResult]>([
    ['success.NoneType.json', { status: 'SUCCESS' }],
    ['revoked.TaskRevokedError.revoked.json', { status: 'REVOKED', reason: 'revoked' }],
    ['revoked.TaskRevokedError.terminated.json', { status: 'REVOKED', reason: 'terminated' }],
    ['revoked.TaskRevokedError.expired.json', { status: 'REVOKED', reason: 'expired' }],
  ])('is what Celery sends in %s', (name, result) => {
    const captured = readFixture(folder, name);
    const id = String(captured.properties['correlation_id']);
    const task = readTask(
      taskDelivery({
        headers: { id },
        properties: { correlationId: id, replyTo: captured.routing_key, headers: { id, task: 'a' } },
      }),
    );
    const message = resultMessage(task, result);
    expect(message).toMatchObject({ queue: captured.routing_key, correlationId: id });
    expect(JSON.parse(String(message?.content))).toEqual(JSON.parse(captured.body));
  });

  test('turns a failure into a RuntimeError', () => {
    const message = resultMessage(readTask(taskDelivery()), { status: 'FAILURE', message: 'Slurm: "é"\n' });
    const captured = JSON.parse(readFixture(folder, 'failure.ValueError.json').body) as object;
    const body = JSON.parse(String(message?.content)) as Record<string, unknown>;
    expect(Object.keys(body)).toEqual(Object.keys(captured));
    expect(body).toMatchObject({
      status: 'FAILURE',
      result: { exc_type: 'RuntimeError', exc_message: ['Slurm: "é"\n'], exc_module: 'builtins' },
    });
  });

  test('lists the follow-up tasks of a success, as Celery does', () => {
    const captured = JSON.parse(readFixture(folder, 'success.int.children.json').body) as {
      children: unknown;
    };
    const [id] = /[-0-9a-f]{36}/.exec(JSON.stringify(captured.children)) ?? [''];
    const children: TaskChild[] = [[[id, null], null]];
    const message = resultMessage(readTask(taskDelivery()), { status: 'SUCCESS', children });
    expect(JSON.parse(String(message?.content))).toMatchObject({ children: captured.children });
  });

  test('is null if no caller waits for the result', () => {
    const ignored = readTask(taskDelivery({ headers: { ignore_result: true } }));
    const unaddressed = readTask(taskDelivery({ properties: { replyTo: undefined } }));
    expect(resultMessage(ignored, { status: 'SUCCESS' })).toBeNull();
    expect(resultMessage(unaddressed, { status: 'SUCCESS' })).toBeNull();
  });
});

describe('createResultBuffer', () => {
  test('buffers unsent items in order, up to its limit', () => {
    const dropped: number[] = [];
    const sent: number[] = [];
    const outbox = createResultBuffer<number>(3, (item) => dropped.push(item));
    for (const item of [1, 2, 3, 4]) outbox.send(item);
    expect(dropped).toEqual([1]);
    outbox.connect((item) => sent.push(item));
    outbox.send(5);
    expect(sent).toEqual([2, 3, 4, 5]);
    outbox.connect(null);
    outbox.send(6);
    expect(sent).toEqual([2, 3, 4, 5]);
    expect(dropped).toEqual([1]);
  });

  test('keeps an item whose delivery throws for the next connection', () => {
    const sent: number[] = [];
    const outbox = createResultBuffer<number>(3, () => {});
    outbox.connect(() => {
      throw new Error('closed');
    });
    outbox.send(1);
    outbox.send(2);
    outbox.connect((item) => sent.push(item));
    expect(sent).toEqual([1, 2]);
  });
});
