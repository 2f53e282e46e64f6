import { expect, test } from 'vitest';
import type { TaskEvent } from '../../../../src/celery/control/events.js';
import { readTask } from '../../../../src/celery/messages/read-task.js';
import type { RunStore } from '../../../../src/worker/run-state/run-store.js';
import { applyEvent, beginRun, type Run, type RunEvent } from '../../../../src/worker/run-state/run.js';
import { publishTaskEvents } from '../../../../src/worker/reporting/task-events.js';
import { taskDelivery } from '../../celery/deliveries.js';

type News = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, 'at'> : never) : never;

/** The Celery events of a run with these journal events, one second apart. */
function published(...news: News[]): TaskEvent[] {
  const listeners: ((run: Run, event: RunEvent) => void)[] = [];
  const runStore: Pick<RunStore, 'subscribe'> = {
    subscribe: (wanted) => {
      listeners.push(wanted);
      return () => true;
    },
  };
  const events: TaskEvent[] = [];
  publishTaskEvents(runStore as RunStore, (event) => void events.push(event));
  const task = readTask(taskDelivery({ headers: { argsrepr: "('tok-secret',)", retries: 2 } }));
  const accepted = { type: 'accepted' as const, at: 0, task, refusal: null };
  let run = beginRun(accepted);
  listeners.forEach((listener) => listener(run, accepted));
  for (const [index, item] of news.entries()) {
    const event: RunEvent = { ...item, at: (index + 1) * 1_000 };
    const after = applyEvent(run, event);
    if (after !== run) listeners.forEach((listener) => listener(after, event));
    run = after;
  }
  return events.map((event) => ({ ...event, uuid: '' }));
}

const finished = { type: 'finished', told: true } as const;
const submitted = { type: 'submitted', jobId: '7' } as const;
const decided = (outcome: Run['outcome'] & string, reason: string | null = null) =>
  ({ type: 'decided', outcome, reason }) as const;
const received = {
  type: 'task-received',
  name: 'some.task',
  args: '()',
  kwargs: '{}',
  retries: 2,
  eta: null,
};

test('a successful run', () => {
  const events = published(
    submitted,
    { type: 'started' },
    { type: 'started' },
    decided('succeeded'),
    finished,
  );
  expect(events).toMatchObject([
    received,
    { type: 'task-started' },
    { type: 'task-succeeded', result: 'None', runtime: 3 },
  ]);
  expect(events).toHaveLength(3);
  expect(JSON.stringify(events)).not.toContain('tok-secret');
});

const ended = (outcome: Run['outcome'] & string, base: string) =>
  ({
    type: 'job-ended',
    end: { outcome, state: { base, flags: [] }, exitCode: null, reason: '', toldBy: 'squeue' },
  }) as const;

test.each([
  ['ran unseen', [ended('succeeded', 'COMPLETED')], 1],
  ['failed unseen', [ended('failed', 'FAILED')], 1],
  ['was seen to run', [{ type: 'started' }, ended('succeeded', 'COMPLETED')], 1],
  ['was canceled while it waited', [ended('canceled', 'CANCELLED')], 0],
  ['never had a computer', [ended('failed', 'DEADLINE')], 0],
  ['was lost', [ended('failed', '')], 0],
] as const)('the start of a job that %s is published if it ran', (_, news, starts) => {
  const events = published(submitted, ...news, decided('succeeded'), finished);
  expect(events.filter(({ type }) => type === 'task-started')).toHaveLength(starts);
});

test('a failed run has its reason as a Python exception', () => {
  expect(published(decided('failed', "it's\nfull"), finished)).toMatchObject([
    received,
    { type: 'task-failed', exception: String.raw`RuntimeError("it's\nfull")`, traceback: '' },
  ]);
});

test.each([
  ['by a revoke', [submitted], 'celery', { terminated: false, signum: null, expired: false }],
  [
    'by a revoke with terminate',
    [submitted],
    'termination',
    { terminated: true, signum: 15, expired: false },
  ],
  ['expired', [], 'expiry', { terminated: false, signum: null, expired: true }],
] as const)('a run that is canceled %s', (_, before, by, expected) => {
  const events = published(...before, { type: 'cancel-requested', by }, decided('canceled'), finished);
  expect(events).toMatchObject([received, { type: 'task-revoked', ...expected }]);
});
