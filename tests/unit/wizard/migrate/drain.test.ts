import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../../src/base/errors.js';
import type { HeldTask } from '../../../../src/wizard/migrate/celery-workers.js';
import {
  waitUntilPythonIdle,
  type DrainProgress,
  type NodeLook,
} from '../../../../src/wizard/migrate/drain.js';

const running: HeldTask = { id: 'a-1', name: 'some.task', state: 'running', startedAt: null };
const waiting: HeldTask = { id: 'a-2', name: 'some.task', state: 'waiting', startedAt: null };

const busy = (...tasks: HeldTask[]): NodeLook => ({ node: 'celery@old', tasks, isGone: false });
const idle = busy();
const silent: NodeLook = { node: 'celery@old', tasks: null, isGone: false };
const gone: NodeLook = { node: 'celery@old', tasks: null, isGone: true };

/** Waits with these looks, of which the last one repeats; interrupted after 30. */
async function wait(...looks: (NodeLook | Error)[]) {
  const abort = new AbortController();
  const seen: DrainProgress[] = [];
  let count = 0;
  const lost = await waitUntilPythonIdle(['celery@old'], {
    async look() {
      const found = looks[Math.min(count, looks.length - 1)] ?? idle;
      count += 1;
      if (count === 30) abort.abort();
      if (found instanceof Error) throw found;
      return [found];
    },
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
    signal: abort.signal,
    onProgress: (progress) => seen.push(progress),
  });
  return { lost, count, seen };
}

describe('waiting for a drained worker', () => {
  it('ends when it holds nothing in two looks in a row', async () => {
    expect(await wait(busy(running), idle, idle)).toMatchObject({ lost: [], count: 3 });
    // a task may be between two places in one look
    expect(await wait(idle, busy(waiting), idle, idle)).toMatchObject({ lost: [], count: 4 });
  });

  it('never takes silence for an answer', async () => {
    expect(await wait(busy(running), silent)).toMatchObject({ lost: null, count: 30 });
    expect(await wait(idle, silent, idle)).toMatchObject({ lost: [], count: 3 });
  });

  it('goes on after RabbitMQ did not answer', async () => {
    const { lost, seen } = await wait(new DsaSlurmError('broker', 'Nothing listens.'), idle);
    expect(lost).toEqual([]);
    expect(seen[0]).toEqual({ held: [], problem: 'Nothing listens.' });
  });

  it('names what a worker ran when it ended', async () => {
    expect((await wait(busy(running, waiting), gone)).lost).toEqual([
      { node: 'celery@old', tasks: [running] },
    ]);
    expect((await wait(busy(waiting), gone)).lost).toEqual([]);
  });

  it('waits for a worker that is connected again', async () => {
    expect(await wait(busy(running), gone, gone, busy(running), gone, busy(running), idle)).toMatchObject({
      lost: [],
      count: 8,
    });
  });

  it('does not hide errors of the program', async () => {
    await expect(wait(new TypeError('a bug'))).rejects.toThrow('a bug');
  });
});
