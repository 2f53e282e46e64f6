import { expect, it } from 'vitest';

import { createPreparation } from '../../../../src/worker/stages/preparation.js';

const forever = new AbortController().signal;

/** Sleeps end when the test says so. */
function open(places: number) {
  const wakers: (() => void)[] = [];
  const preparation = createPreparation(places, {
    sleep: async (_ms, signal) =>
      new Promise((resolve) => {
        wakers.push(resolve);
        signal?.addEventListener('abort', () => resolve());
      }),
  });
  return { ...preparation, timeIsUp: () => wakers.forEach((wake) => wake()) };
}

const turn = async () => new Promise((resolve) => setImmediate(resolve));

it('lets the next run in when one has left, in order of arrival', async () => {
  const { enter } = open(2);
  const entered: string[] = [];
  const come = async (name: string) => enter('girder', forever).finally(() => entered.push(name));
  const first = await come('first');
  await come('second');
  void come('third');
  void come('fourth');
  await turn();
  expect(entered).toEqual(['first', 'second']);
  first();
  first();
  await turn();
  expect(entered).toEqual(['first', 'second', 'third']);
});

it('lets the next run in when one stays too long', async () => {
  const { enter, timeIsUp } = open(1);
  const leave = await enter('girder', forever);
  const second = enter('girder', forever);
  timeIsUp();
  const leaveSecond = await second;
  // its place was given away already
  leave();
  let isIn = false;
  const third = enter('girder', forever).finally(() => (isIn = true));
  await turn();
  expect(isIn).toBe(false);
  leaveSecond();
  await third;
});

it('does not let the runs of one Girder wait for those of another', async () => {
  const { enter } = open(1);
  await enter('slow', forever);
  await expect(enter('healthy', forever)).resolves.toBeTypeOf('function');
});

it('ends the wait of a run that is canceled', async () => {
  const { enter } = open(1);
  await enter('girder', forever);
  const cancel = new AbortController();
  const waiting = enter('girder', cancel.signal);
  cancel.abort(new Error('canceled'));
  await expect(waiting).rejects.toThrow('canceled');
});
