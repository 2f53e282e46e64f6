import { describe, expect, test } from 'vitest';
import { waitingSentence } from '../../../../src/slurm/pending-reasons.js';
import { parseJobState, stateSentence } from '../../../../src/slurm/states.js';
import type { RunProgress } from '../../../../src/worker/run-state/run.js';
import { createQueueStatusReporter } from '../../../../src/worker/reporting/queue-status-reporter.js';

const start = Date.UTC(2026, 10, 26, 1);
const minute = 60_000;

function setUp({ wasShown = false } = {}) {
  const time = { now: start };
  const sent: (string | null | undefined)[] = [];
  const analysis: { message: RunProgress | null } = { message: null };
  const message = createQueueStatusReporter(
    { progress: ({ message: text }) => void sent.push(text) },
    { waits: waitingSentence, state: stateSentence },
    { now: () => time.now, monotonic: () => time.now },
    () => analysis.message,
    wasShown,
  );
  const waits = (reason: string, expectedStart: number | null = null, state = 'PENDING'): void =>
    message.waiting({ state: parseJobState(state), reason, expectedStart });
  return { time, sent, analysis, message, waits };
}

describe('the message of a job that waits', () => {
  test('is sent once, and again when the reason changes', () => {
    const { sent, waits } = setUp();
    for (const reason of ['Priority', 'Priority', 'Resources', 'Resources']) waits(reason);
    expect(sent).toEqual([
      'The analysis is waiting in the cluster queue: other jobs are ahead of it.',
      'The analysis is waiting in the cluster queue: the computers that it needs are busy.',
    ]);
  });

  test('updates the expected start rarely', () => {
    const { sent, time, waits } = setUp();
    for (let n = 0; n < 60; n += 1) {
      // the scheduler puts it off all the time
      waits('Resources', time.now + 60 * minute);
      time.now += 10_000;
    }
    expect(sent).toHaveLength(2);
    expect(sent[0]).toMatch(/Expected to start at 2026-11-26 02:00 UTC\.$/);
    expect(sent[1]).toMatch(/02:05 UTC\.$/);
  });

  test('shows the first expected start at once, and keeps it for a while', () => {
    const { sent, time, waits } = setUp();
    waits('Resources');
    waits('Resources', start + 60 * minute);
    waits('Resources');
    expect(sent).toHaveLength(2);
    expect(sent[1]).toMatch(/02:00 UTC/);
    time.now += 5 * minute;
    waits('Resources');
    expect(sent[2]).not.toMatch(/Expected/);
  });

  test('is replaced once when the job is paused, and again when it continues', () => {
    const { sent, message, waits } = setUp();
    waits('Resources');
    message.started();
    const paused = { state: parseJobState('SUSPENDED') };
    message.paused(paused);
    message.paused(paused);
    message.started();
    message.started();
    expect(sent.slice(2)).toEqual([
      'The cluster has paused the analysis and will resume it.',
      'The analysis runs on the cluster.',
    ]);
  });

  test('of an earlier worker is replaced, too', () => {
    const one = setUp({ wasShown: true });
    one.message.started();
    one.message.started();
    expect(one.sent).toEqual(['The analysis runs on the cluster.']);
    const other = setUp({ wasShown: true });
    other.message.ended();
    expect(other.sent).toEqual(['']);
  });

  test('does not name a start that has passed', () => {
    const { sent, waits } = setUp();
    waits('Priority', start - minute);
    expect(sent[0]).not.toMatch(/Expected/);
  });

  test('is replaced when the job starts, and returns after a requeue', () => {
    const { sent, message, waits } = setUp();
    waits('Priority');
    message.started();
    message.ended();
    waits('BeginTime');
    expect(sent.slice(1)).toEqual([
      'The analysis runs on the cluster.',
      '',
      'The analysis is waiting in the cluster queue: it is scheduled for a later time.',
    ]);
  });

  test('about running is removed when the job has ended', () => {
    const { sent, analysis, message, waits } = setUp();
    waits('Priority');
    message.started();
    message.started();
    message.ended();
    expect(sent.slice(1)).toEqual(['The analysis runs on the cluster.', '']);
    waits('Priority');
    message.started();
    analysis.message = { total: 4, current: 3, message: 'nearly' };
    message.started();
    message.ended();
    expect(sent.at(-1), 'what the analysis said itself stays').toBe('The analysis runs on the cluster.');
  });

  test('does not replace the progress of an analysis', () => {
    for (const end of ['started', 'ended'] as const) {
      const { sent, analysis, message, waits } = setUp();
      waits('Priority');
      analysis.message = { total: 4, current: 3, message: 'nearly' };
      message[end]();
      expect(sent, end).toHaveLength(1);
      waits('BeginTime');
      message[end]();
      expect(sent, 'after a requeue').toHaveLength(3);
    }
    const { sent, analysis, message, waits } = setUp();
    waits('Priority');
    analysis.message = { total: 4, current: 3, message: null };
    message.ended();
    expect(sent.at(-1), 'figures alone leave the message').toBe('');
  });

  test('is removed when the job ends without having started', () => {
    const { sent, message, waits } = setUp();
    message.started();
    message.ended();
    expect(sent).toEqual([]);
    waits('Priority');
    message.ended();
    expect(sent.at(-1)).toBe('');
  });
});
