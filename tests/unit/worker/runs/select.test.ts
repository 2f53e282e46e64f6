import { describe, expect, test } from 'vitest';

import type { RunView } from '../../../../src/worker/views/handle.js';
import { renderRuns } from '../../../../src/worker/runs/render.js';
import { duration } from '../../../../src/worker/views/duration.js';
import { findRun, readSince, selectRuns } from '../../../../src/worker/runs/select.js';

function view(over: Partial<RunView>): RunView {
  return {
    id: 'id',
    stage: 'running',
    outcome: null,
    stageSince: 0,
    acceptedAt: 0,
    finishedAt: null,
    image: 'example/cells:v1',
    cli: 'Cells',
    title: null,
    user: 'ada',
    girderJobId: null,
    jobId: null,
    progress: null,
    progressMessage: null,
    reason: null,
    cancelRequested: false,
    ...over,
  };
}

const runs = [
  view({ id: 'aaaa1', acceptedAt: 1, jobId: '12', girderJobId: 'f1' }),
  view({
    id: 'aaaa2',
    acceptedAt: 3,
    stage: 'finished',
    outcome: 'failed',
    user: 'bob',
    reason: 'no tissue',
  }),
  view({ id: 'bbbb', acceptedAt: 2, stage: 'queued', image: 'other/x:v1' }),
];
const ids = (list: readonly RunView[]): string[] => list.map(({ id }) => id);

describe('runs are chosen', () => {
  test.each([
    [{}, ['aaaa2', 'bbbb', 'aaaa1']],
    [{ stage: ['queued', 'running'] as const }, ['bbbb', 'aaaa1']],
    [{ outcome: ['failed'] as const }, ['aaaa2']],
    [{ user: ['bob', 'eve'] }, ['aaaa2']],
    [{ image: 'example/' }, ['aaaa2', 'aaaa1']],
    [{ since: 2 }, ['aaaa2', 'bbbb']],
    [{ limit: 1 }, ['aaaa2']],
    [{ stage: ['queued'] as const, user: ['bob'] }, []],
  ])('by %j', (filter, expected) => expect(ids(selectRuns(runs, filter))).toEqual(expected));

  test.each([
    ['aaaa1', 'aaaa1'],
    ['bbbb', 'bbbb'],
    ['12', 'aaaa1'],
    ['f1', 'aaaa1'],
    ['bbb', null],
    ['zzzz', null],
  ])('by the word %s', (word, expected) => expect(findRun(runs, word)?.id ?? null).toBe(expected));

  test('but not by a word that matches several', () =>
    expect(() => findRun(runs, 'aaaa')).toThrow('aaaa matches 2 runs: aaaa1, aaaa2.'));

  test.each([
    ['90m', 1_000_000_000 - 5_400_000],
    ['7d', 1_000_000_000 - 604_800_000],
    ['1970-01-02', 86_400_000],
    ['1970-01-01T00:00:05Z', 5_000],
    ['yesterday', null],
    ['5', null],
    ['-5m', null],
  ])('since %s', (text, expected) => expect(readSince(text, 1_000_000_000)).toBe(expected));
});

describe('the table', () => {
  test('has a line for each run, whatever is in its texts', () => {
    const hostile = view({ id: 'x', title: 'a\nb\u001B[31m\u202Ec', jobId: '5', cancelRequested: true });
    expect(
      renderRuns([...runs, hostile], 3_660_000)
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([
      'RUN    STATE               SINCE  JOB  USER  ANALYSIS  TITLE OR REASON',
      'aaaa1  running             1h01   12   ada   Cells     -',
      'aaaa2  failed              1h01   -    bob   Cells     no tissue',
      'bbbb   queued              1h01   -    ada   Cells     -',
      'x      running, canceling  1h01   5    ada   Cells     a b\uFFFD[31m\uFFFDc',
      '',
    ]);
  });

  test.each([
    [-1, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_599_000, '59m'],
    [86_399_000, '23h59'],
    [90_000_000, '1d01h'],
  ])('says %d ms as %s', (ms, expected) => expect(duration(ms)).toBe(expected));
});
