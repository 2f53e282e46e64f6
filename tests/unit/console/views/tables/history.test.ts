import { beforeEach, describe, expect, test } from 'vitest';
import { groupByPeriod, scaleFor, waitBars } from '../../../../../src/console/data/history-statistics.js';
import type { Action } from '../../../../../src/console/state/action.js';
import { quantile, sparkline } from '../../../../../src/console/terminal/sparkline.js';
import { chooseTheme } from '../../../../../src/console/terminal/theme.js';
import type { RunView } from '../../../../../src/worker/views/handle.js';
import type { HistoryRow } from '../../../../../src/worker/views/live-views.js';
import { createFakeWorker, fakeRun } from '../../../../support/fake-worker-handle.js';
import { openConsole, type OpenedConsole } from '../../opened-console.js';

const hour = 3_600_000;
const now = 100 * hour;

function finished(
  id: string,
  parts: Partial<RunView> = {},
  times: Partial<Omit<HistoryRow, 'run'>> = {},
): HistoryRow {
  return {
    run: fakeRun({ id, stage: 'finished', outcome: 'succeeded', finishedAt: now, ...parts }),
    preparingMs: 400,
    waitingMs: 3_000,
    runningMs: 60_000,
    collectingMs: 1_000,
    totalMs: 64_400,
    jobState: 'COMPLETED',
    exitCode: 0,
    ...times,
  };
}

const history = (rows: readonly HistoryRow[], problem: string | null = null): Action => ({
  type: 'liveViewChanged',
  name: 'history',
  view: { rows, at: now, problem },
  now,
});

let console: OpenedConsole;

beforeEach(() => {
  console = openConsole(createFakeWorker(now), { columns: 120, rows: 30 });
});

describe('the history', () => {
  const rows = [
    finished('aaaaaaaa-1', { title: 'Liver', jobId: '11' }),
    finished(
      'bbbbbbbb-2',
      { outcome: 'failed', title: 'Lung', reason: 'It broke.', finishedAt: now - 2 * hour },
      { waitingMs: 90_000, runningMs: null, jobState: 'FAILED', exitCode: 1 },
    ),
  ];

  test('lists outcome and durations of each run', () => {
    console.press('5');
    console.dispatch(history(rows));
    const text = console.text();
    expect(text).toContain('dsa-slurm › default › history');
    expect(text).toContain('● finished runs 0s ago');
    expect(text).toMatch(/✔ 1 ok {3}✘ 1 failed {3}⊘ 0 canceled/u);
    expect(text).toMatch(/▸✔ succeeded  +\S+ \S+ +NucleiDetection +Liver +3s +1m 00s/u);
    expect(text).toMatch(/ ✘ failed  .* NucleiDetection +Lung +1m 30s .*It broke\./u);
    expect(text).toContain('prepared 400ms · waited 3.0s · ran 1m 00s · collected 1.0s');
  });

  test('summarizes throughput and queue time of the filtered runs', () => {
    console.press('5');
    console.dispatch(history(rows));
    expect(console.text()).toMatch(/finished an hour +·+█·█ {2}at most 1 an hour, over 58 hours/u);
    expect(console.text()).toMatch(
      /time in queue +50% within 3\.0s, 90% within 1m 30s .* to 10s ━+ 1 +to 10m ━+ 1/u,
    );
    expect(console.text()).toMatch(/in queue, median +█ ▁ {2}at most 1m 30s/u);
    console.type('/lung');
    expect(console.text()).toMatch(/finished an hour +·+█·· {2}at most 1/u);
    expect(console.text()).toMatch(/✔ 0 ok {3}✘ 1 failed/u);
  });

  test('drops the summary on a small terminal', () => {
    const small = openConsole(createFakeWorker(now), { columns: 60, rows: 15 });
    small.press('5');
    small.dispatch(history(rows));
    expect(small.text()).not.toContain('finished an hour');
    expect(small.text()).toMatch(/succeeded[^]*failed/u);
    expect(small.lines()).toHaveLength(14);
  });

  test('Enter opens the page of a run that the table of runs no longer lists', () => {
    console.press('5');
    console.dispatch(history(rows));
    console.press('enter');
    expect(console.text()).toContain('› history › run aaaaaaaa NucleiDetection');
    expect(console.text()).toMatch(/title +Liver/u);
    console.press('y');
    expect(console.copied).toEqual(['11']);
    console.press('esc');
    expect(console.state().place).toEqual({ view: 'history' });
  });

  test('distinguishes not loaded and empty', () => {
    console.press('5');
    expect(console.text()).toContain('Loading finished runs from the worker.');
    console.dispatch(history([]));
    expect(console.text()).toContain('contains no finished runs');
    expect(console.text()).toContain('no data yet');
  });

  test('filters and sorts durations in seconds', () => {
    console.press('5');
    console.dispatch(history(rows));
    console.type('/waiting>60');
    expect(console.state().tables.history.shown.map(({ id }) => id)).toEqual(['run:bbbbbbbb-2']);
  });

  test('has the age of the connection to the worker', () => {
    const worker = createFakeWorker(now);
    const view = openConsole(worker, { columns: 120, rows: 30 });
    view.press('5');
    view.dispatch(history(rows));
    const link = {
      kind: 'socket',
      path: '/x',
      pid: 1,
      at: now,
      problem: 'The worker does not answer.',
      ended: false,
    } as const;
    view.dispatch({
      type: 'snapshot',
      snapshot: { ...worker.snapshot(), link },
      now: now + 30_000,
    });
    expect(view.text()).toMatch(/✘ worker not responding, process 1 [^]*▲ finished runs 30s ago/u);
  });
});

test('groups runs by hours before now and omits older ones', () => {
  const rows = [
    finished('a', { finishedAt: now }),
    finished('b', { finishedAt: now - hour }, { waitingMs: null }),
    finished('c', { finishedAt: now - hour }, { waitingMs: 7 }),
    finished('d', { finishedAt: now - 3 * hour }),
  ];
  const scale = scaleFor(rows, now);
  expect(scale.unit).toBe('hour');
  expect(groupByPeriod(rows, now, scale, 3)).toEqual([
    { finished: 0, medianWaitMs: null },
    { finished: 2, medianWaitMs: 7 },
    { finished: 1, medianWaitMs: 3_000 },
  ]);
  // minutes are used while no run is older than an hour
  expect(scaleFor(rows.slice(0, 1), now).unit).toBe('minute');
});

test('counts each queue time in one bar', () => {
  const rows = [0, 1_000, 1_001, 60_000, 3_600_001].map((waitingMs, index) =>
    finished(String(index), {}, { waitingMs }),
  );
  expect(waitBars(rows).map(({ count }) => count)).toEqual([2, 1, 1, 0, 0, 1]);
});

test.each([
  [[], ''],
  [[0, 0], '··'],
  [[null, 0, 1, 8], ' ·▁█'],
  [[4, 4], '██'],
])('sparkline of %j', (values, line) => {
  expect(sparkline(values, chooseTheme({}).glyphs)).toBe(line);
});

test('sparkline is ASCII on a dumb terminal', () => {
  expect(sparkline([0, 1, 4, 8], chooseTheme({ TERM: 'dumb' }).glyphs)).toBe('.:+@');
});

test.each([
  [[], 0.5, null],
  [[3], 0.9, 3],
  [[4, 1, 3, 2], 0.5, 2],
  [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9, 9],
])('quantile of %j at %d is %j', (values, share, value) => {
  expect(quantile(values, share)).toBe(value);
});
