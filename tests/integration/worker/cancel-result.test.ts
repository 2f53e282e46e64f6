import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { analysisMessage, type Argument } from '../../../src/sandbox/producer/message.js';
import { image, openLab, status, statuses, type Lab } from '../../support/lab.js';
import { testSite } from '../../support/test-site.js';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});

afterAll(async () => lab.close());

interface Call {
  args: readonly Argument[];
  /** More arguments of `send_task`. */
  options?: Record<string, unknown>;
  /** Arguments of `AsyncResult.revoke`; without them the task is ended in another way. */
  revoke?: Record<string, unknown>;
  /** Condition to wait for between the task and its revoke. */
  meanwhile?: (taskId: string) => Promise<unknown>;
}

/** The result of `AsyncResult.get()` for a caller in Python, and the statuses of its Girder job. */
async function callFromPython({ args, options = {}, revoke, meanwhile }: Call) {
  const id = randomUUID();
  const girderJob = lab.girder.createJob({ title: 'A call', type: 'call', celeryTaskId: id });
  const site = {
    apiUrl: lab.girder.apiUrl,
    userId: lab.girder.userId,
    userToken: () => lab.girder.userToken,
    clientToken: lab.girder.clientToken(),
  };
  const message = analysisMessage({ spelling: 'docker', image, args, title: 'A call', taskId: id }, site, {
    id: girderJob.id,
    jobInfoSpec: lab.girder.jobInfoSpec(girderJob),
  });
  const [queue] = lab.settings.broker.queues;
  const request = { broker: testSite().amqpUrl, queue, message, options, revoke: revoke ?? null };
  const script = `${import.meta.dirname}/../../support/celery_caller.py`;
  const python = execa('/usr/bin/python3', [script], { stdin: 'pipe', buffer: false, reject: false });
  python.stdin.write(`${JSON.stringify(request)}\n`);
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('published');
  await meanwhile?.(id);
  python.stdin.end('go on\n');
  const { value } = await lines.next();
  await python;
  const job = await lab.ended(girderJob);
  return { answer: JSON.parse(String(value)) as unknown, history: statuses(job) };
}

async function running(id: string): Promise<void> {
  await lab.until(() =>
    lab.worker.handle.snapshot().runs.some((run) => run.id === id && run.stage === 'running'),
  );
}

async function accepted(id: string): Promise<void> {
  await lab.until(() => lab.worker.handle.snapshot().runs.some((run) => run.id === id));
}

const never = ['Wait', '/never'];
const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();
const stopped = [status.running, status.canceled];

test.each<[string, Call, string, number[]]>([
  ['revoked while it runs', { args: never, revoke: {}, meanwhile: running }, 'revoked', stopped],
  [
    'revoked with terminate while it runs',
    { args: never, revoke: { terminate: true }, meanwhile: running },
    'terminated',
    stopped,
  ],
  [
    'revoked with terminate before it has begun',
    { args: never, options: { eta: inAnHour() }, revoke: { terminate: true }, meanwhile: accepted },
    'revoked',
    [status.canceled],
  ],
  ['expired', { args: never, options: { expires: -60 } }, 'expired', [status.canceled]],
])('a caller in Python whose task is %s sees TaskRevokedError', async (_, call, word, history) => {
  expect(await callFromPython(call)).toEqual({
    answer: { state: 'REVOKED', error: 'TaskRevokedError', text: word },
    history,
  });
});

test('a caller in Python whose task fails gets the reason as a RuntimeError', async () => {
  const { answer, history } = await callFromPython({ args: ['Fail'] });
  expect(answer).toEqual({
    state: 'FAILURE',
    error: 'RuntimeError',
    text: expect.stringMatching(/exit (code|status) 3|ended with 3/i) as string,
  });
  expect(history).toEqual([status.running, status.error]);
});

test('a caller in Python whose message is refused gets the reason', async () => {
  const { answer, history } = await callFromPython({
    args: ['Wait', '/etc/hostname'],
    options: { serializer: 'pickle' },
  });
  expect(answer).toEqual({
    state: 'FAILURE',
    error: 'RuntimeError',
    text: expect.stringContaining('Only application/json is accepted') as string,
  });
  expect(history.at(-1)).toBe(status.error);
});

test('a caller in Python whose task succeeds sees no error', async () => {
  expect(await callFromPython({ args: ['Wait', '/etc/hostname'] })).toMatchObject({
    answer: { state: 'SUCCESS', value: null },
    history: [status.running, status.success],
  });
});
