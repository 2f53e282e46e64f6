import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pino } from 'pino';

import type { Clock } from '../../../../src/base/clock.js';
import type { Notice } from '../../../../src/worker/notices/notice.js';
import { sendNotices, type NoticesOptions } from '../../../../src/worker/notices/notices.js';
import type { RunStore } from '../../../../src/worker/run-state/run-store.js';
import {
  applyEvent,
  beginRun,
  type Outcome,
  type Run,
  type RunEvent,
} from '../../../../src/worker/run-state/run.js';
import type { StatusProblem } from '../../../../src/worker/runs/service-status.js';
import { someTask } from '../../../support/tasks.js';

const minute = 60_000;

/** Runs on Vitest's fake timers. */
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      const end = (): void => {
        clearTimeout(timer);
        resolve();
      };
      if (signal?.aborted === true) end();
      else signal?.addEventListener('abort', end, { once: true });
    }),
};

/** As much of a run store as notices need. */
function aStore() {
  const runs = new Map<string, Run>();
  const listeners = new Set<Parameters<RunStore['subscribe']>[0]>();
  const change = (id: string, event: RunEvent): void => {
    const run = runs.get(id);
    if (run === undefined) throw new Error(`no run ${id}`);
    const after = applyEvent(run, event);
    runs.set(id, after);
    for (const listener of listeners) listener(after, event);
  };
  return {
    runs,
    get: (id: string) => runs.get(id),
    all: () => runs.values(),
    subscribe(listener: Parameters<RunStore['subscribe']>[0]) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    begin(id: string, cli = 'Cells') {
      const at = Date.now();
      runs.set(id, beginRun({ type: 'accepted', at, task: someTask({ id }), refusal: null }));
      const description = { image: 'example/cells:v1', cli, user: 'ada', title: 'Cells on jane-doe.svs' };
      change(id, { type: 'described', at, description });
    },
    end(id: string, outcome: Outcome, reason: string | null = null) {
      change(id, { type: 'decided', at: Date.now(), outcome, reason });
      change(id, { type: 'finished', at: Date.now(), told: true });
    },
  };
}

type Answer = (json: string, signal: AbortSignal) => Promise<string | null>;

function start(over: Partial<NoticesOptions> = {}, answer: Answer = async () => null) {
  const store = aStore();
  const sent: Notice[] = [];
  const lines: string[] = [];
  const problems: StatusProblem[] = [];
  const stopping = new AbortController();
  const close = sendNotices({
    profile: 'lab',
    worker: 'celery@login1',
    on: ['batch', 'failure', 'site'],
    intervalMs: 5 * minute,
    targets: [
      {
        name: 'test',
        async send(json, signal) {
          const why = await answer(json, signal);
          if (why === null) sent.push(JSON.parse(json) as Notice);
          return why;
        },
      },
    ],
    runStore: store,
    problems: () => problems,
    clock,
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    stopping: stopping.signal,
    ...over,
  });
  const about = (topic: Notice['topic']): Notice[] => sent.filter((notice) => notice.topic === topic);
  return { store, sent, about, lines, problems, stopping, close };
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('failures', () => {
  it('500 of them are one notice with a count, and what follows is in the next one', async () => {
    const { store, about } = start({ on: ['failure'] });
    for (let index = 0; index < 500; index += 1) {
      store.begin(`run-${index}`);
      store.end(`run-${index}`, 'failed', 'jane-doe.svs is broken');
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(about('failure')).toEqual([]);
    await vi.advanceTimersByTimeAsync(minute);
    expect(about('failure')).toMatchObject([
      {
        version: 1,
        profile: 'lab',
        worker: 'celery@login1',
        count: 500,
        text: '500 runs have failed: 500 another reason. See: dsa-slurm runs list',
        reasons: [{ kind: 'other', count: 500, runs: { length: 20 } }],
      },
    ]);
    store.begin('late');
    store.end('late', 'failed');
    await vi.advanceTimersByTimeAsync(2 * minute);
    expect(about('failure')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5 * minute);
    expect(about('failure')).toMatchObject([{}, { count: 1, reasons: [{ runs: ['late'] }] }]);
  });

  it('that never cease are reported once in an interval', async () => {
    const { store, about } = start({ on: ['failure'] });
    for (let index = 0; index < 200; index += 1) {
      store.begin(`run-${index}`);
      store.end(`run-${index}`, 'failed');
      await vi.advanceTimersByTimeAsync(10_000);
    }
    expect(about('failure').length).toBeGreaterThan(4);
    expect(about('failure').length).toBeLessThan(8);
  });

  it('name no user, title, slide or text of a container; runs that succeed are no failures', async () => {
    const { store, sent } = start();
    store.begin('a');
    store.begin('b');
    store.end('a', 'failed', 'jane-doe.svs could not be read');
    store.end('b', 'succeeded');
    await vi.advanceTimersByTimeAsync(2 * minute);
    expect(sent).toMatchObject([{ topic: 'failure', count: 1 }, { topic: 'batch' }]);
    expect(JSON.stringify(sent)).not.toMatch(/ada|jane|SECRET/);
  });
});

describe('a batch', () => {
  it('is reported once, when nothing of it is left', async () => {
    const { store, about } = start();
    store.begin('a');
    store.begin('b');
    store.begin('c');
    store.begin('alone', 'Other');
    store.end('a', 'succeeded');
    store.end('alone', 'succeeded');
    await vi.advanceTimersByTimeAsync(5 * minute);
    expect(about('batch')).toEqual([]);
    store.end('b', 'failed');
    store.end('c', 'canceled');
    await vi.advanceTimersByTimeAsync(20 * minute);
    expect(about('batch')).toMatchObject([
      {
        text:
          'batch a (example/cells:v1 Cells) has ended: 1 of 3 slides succeeded, 1 failed (1 another reason), 1 canceled.' +
          ' See: dsa-slurm batches',
        batches: [{ id: 'a', slides: 3, succeeded: 1, failed: 1, canceled: 1 }],
      },
    ]);
  });

  it('that had ended before this worker started is not reported', async () => {
    const { store, sent } = start();
    for (const id of ['a', 'b']) {
      store.begin(id);
      const run = store.runs.get(id);
      if (run !== undefined)
        store.runs.set(id, applyEvent(run, { type: 'finished', at: Date.now(), told: true }));
    }
    store.begin('alone', 'Other');
    store.end('alone', 'succeeded');
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(sent).toEqual([]);
  });
});

describe('a problem of the site', () => {
  const lost: StatusProblem = { about: 'rabbitmq', level: 'CRITICAL', text: 'amqp://u:hunter2@mq/ is gone' };

  it('is reported when it lasts, and again when it is over', async () => {
    const { problems, sent } = start();
    problems.push(lost);
    await vi.advanceTimersByTimeAsync(30_000);
    problems.length = 0;
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(sent).toEqual([]);
    problems.push(lost);
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(sent).toMatchObject([
      { topic: 'site', state: 'ill', text: 'amqp://u:***@mq/ is gone', problems: [{ about: 'rabbitmq' }] },
    ]);
    problems.push({ about: 'slurm', level: 'WARNING', text: 'Slurm does not answer' });
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(sent).toMatchObject([{}, { state: 'ill', problems: [{ about: 'rabbitmq' }, { about: 'slurm' }] }]);
    problems.length = 0;
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(sent).toMatchObject([{}, {}, { state: 'well', problems: [] }]);
  });

  it('that comes and goes is reported at most once in an interval', async () => {
    const { problems, sent } = start();
    for (let turn = 0; turn < 10; turn += 1) {
      problems.push(lost);
      await vi.advanceTimersByTimeAsync(90_000);
      problems.length = 0;
      await vi.advanceTimersByTimeAsync(90_000);
    }
    expect(sent.length).toBeGreaterThan(1);
    expect(sent.length).toBeLessThanOrEqual(6);
  });
});

describe('a delivery', () => {
  it('that fails is tried three times, then logged; later notices are sent', async () => {
    let attempts = 0;
    const { store, sent, lines } = start({ on: ['failure'] }, async () => {
      attempts += 1;
      if (attempts === 1) throw new Error('a bug');
      return attempts <= 3 ? 'ECONNREFUSED' : null;
    });
    store.begin('a');
    store.end('a', 'failed');
    await vi.advanceTimersByTimeAsync(5 * minute);
    expect(attempts).toBe(3);
    expect(lines.at(-1)).toContain('"msg":"notice not sent"');
    store.begin('b');
    store.end('b', 'failed');
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(sent).toMatchObject([{ count: 1, reasons: [{ runs: ['b'] }] }]);
  });

  it('that hangs holds up neither runs nor the stop, and no second one begins', async () => {
    let attempts = 0;
    const { store, close, stopping } = start(
      { on: ['failure'] },
      async () =>
        new Promise(() => {
          attempts += 1;
        }),
    );
    for (const id of ['a', 'b']) {
      store.begin(id);
      store.end(id, 'failed');
      await vi.advanceTimersByTimeAsync(20 * minute);
    }
    expect(attempts).toBe(1);
    stopping.abort();
    const closed = close();
    await vi.advanceTimersByTimeAsync(3_000);
    await closed;
  });

  it('is made at once for what is left when the worker stops', async () => {
    const { store, close, stopping, sent } = start();
    store.begin('a');
    store.begin('b');
    store.end('a', 'failed');
    store.end('b', 'succeeded');
    stopping.abort();
    await close();
    expect(sent).toMatchObject([{ topic: 'failure' }, { topic: 'batch' }]);
    store.begin('c');
    store.end('c', 'failed');
    await vi.advanceTimersByTimeAsync(10 * minute);
    expect(sent).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never breaks a run: an error of this code is only logged', async () => {
    const { store, lines } = start({
      problems() {
        throw new Error('a bug');
      },
    });
    store.begin('a');
    store.end('a', 'succeeded');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(lines.at(-1)).toContain('internal error in the notices');
  });
});
