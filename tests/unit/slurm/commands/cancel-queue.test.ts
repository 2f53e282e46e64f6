import { expect, test } from 'vitest';

import { systemClock } from '../../../../src/base/clock.js';
import { createCanceler } from '../../../../src/slurm/commands/cancel-queue.js';
import type { CommandOutcome } from '../../../../src/slurm/commands/batch-command.js';

function setUp(answer: CommandOutcome = { ok: true, message: '' }) {
  const sent: (readonly string[])[] = [];
  const canceler = createCanceler(async (ids) => {
    sent.push(ids);
    return answer;
  }, systemClock);
  return { canceler, sent };
}

test('sends requests of the same moment in one call', async () => {
  const { canceler, sent } = setUp();
  const ids = Array.from({ length: 20 }, (_, index) => String(index + 1));
  const answers = await Promise.all([...ids, '7'].map(async (id) => canceler.cancel([id])));
  expect(answers.every(({ ok }) => ok)).toBe(true);
  expect(sent).toEqual([ids]);
  expect(canceler.canceledAt('7')).not.toBeNull();
  expect(canceler.canceledAt('77')).toBeNull();
  await canceler.cancel(['7']);
  expect(sent).toHaveLength(2);
});

test('answers each request with the errors of its own jobs', async () => {
  const denied = 'scancel: error: Kill job error on job id 2: Access/permission denied';
  const { canceler } = setUp({ ok: false, message: denied });
  const [first, second] = await Promise.all([canceler.cancel(['1']), canceler.cancel(['2', '3'])]);
  expect(first).toEqual({ ok: true, message: '' });
  expect(second).toEqual({ ok: false, message: denied });
  expect(canceler.canceledAt('1')).not.toBeNull();
  expect(canceler.canceledAt('2')).toBeNull();
});

test('says when the cancel of a job is no longer under way', async () => {
  const answer = Promise.withResolvers<CommandOutcome>();
  const canceler = createCanceler(async () => answer.promise, systemClock);
  const settled: string[] = [];
  const canceled = canceler.cancel(['1']);
  const all = ['1', '2'].map(async (id) => canceler.cancelSettled(id).then(() => settled.push(id)));
  await all[1];
  expect(settled).toEqual(['2']);
  answer.resolve({ ok: true, message: '' });
  await Promise.all([...all, canceled]);
  expect(settled).toEqual(['2', '1']);
  await canceler.cancelSettled('1');
});

test('answers all requests with an error that names no job', async () => {
  const message =
    'scancel: error: slurm_kill_job2() failed Unable to contact slurm controller (connect failure)';
  const { canceler } = setUp({ ok: false, message });
  const answers = await Promise.all([canceler.cancel(['1']), canceler.cancel(['2'])]);
  expect(answers).toEqual([
    { ok: false, message },
    { ok: false, message },
  ]);
});

test('answers every request when no command may run any more', async () => {
  const canceler = createCanceler(
    async () => Promise.reject(new Error('this worker has stopped')),
    systemClock,
  );
  const answers = await Promise.all([canceler.cancel(['1']), canceler.cancel(['2'])]);
  expect(answers).toEqual([
    { ok: false, message: 'this worker has stopped' },
    { ok: false, message: 'this worker has stopped' },
  ]);
});
