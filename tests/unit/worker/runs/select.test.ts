import { describe, expect, test } from 'vitest';

import type { RunView } from '../../../../src/worker/views/handle.js';
import { renderRuns } from '../../../../src/worker/runs/render.js';
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

const plain = { colour: false, unicode: true, columns: null };

describe('the table', () => {
  const ids = ['1f0c2766-aaaa-4000-8000-000000000000', '1f0c2766-ab00-4000-8000-000000000000'];
  const long = view({
    id: ids[0] ?? '',
    stage: 'finished',
    outcome: 'failed',
    jobId: '4711',
    user: 'ada',
    cli: 'NucleiDetection',
    reason: `Slurm ended the job. ${'It used too much memory. '.repeat(10)}`,
  });
  const lines = (style: object, shown = [long]): string[] =>
    renderRuns(shown, { now: 0, all: [long, view({ id: ids[1] ?? '' })], style: { ...plain, ...style } })
      .trimEnd()
      .split('\n');

  test('has ids that are as short as they can be and still name one run', () => {
    const id = lines({})[1]?.split(' ')[0] ?? '';
    expect(id).toBe('1f0c2766-aa');
    expect(findRun([long, view({ id: ids[1] ?? '' })], id)?.id).toBe(long.id);
    expect(lines({}, [view({ id: 'abcdefghij' })])[1]).toMatch(/^abcdefghij /);
  });

  test.each([40, 60, 80, 120, 200])('fits %d columns; the reason keeps its room', (columns) => {
    const shown = lines({ columns });
    expect(shown.filter((line) => line.length > columns)).toEqual([]);
    expect(shown[1]).toMatch(/ failed .*Slurm ended.*…$/);
    expect(shown[0]?.includes('USER')).toBe(columns >= 120);
    expect(lines({ columns, unicode: false })[1]).toMatch(/^[ -~]*~$/);
  });

  test('is whole without a terminal, and colored by state on one', () => {
    expect(lines({})[1]).toContain(long.reason?.trimEnd());
    expect(lines({ colour: true })[1]).toContain('\u001B[31mfailed\u001B[0m');
    expect(lines({})[1]).not.toContain('\u001B');
  });

  test('has a line for each run, whatever is in its texts', () => {
    const hostile = view({ id: 'x', title: 'a\nb\u001B[31m\u202Ec', jobId: '5', cancelRequested: true });
    expect(
      renderRuns([...runs, hostile], { now: 3_660_000, all: runs, style: plain })
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([
      'RUN    STATE               SINCE   JOB  USER  ANALYSIS  TITLE OR REASON',
      'aaaa1  running             1h 01m  12   ada   Cells     -',
      'aaaa2  failed              1h 01m  -    bob   Cells     no tissue',
      'bbbb   queued              1h 01m  -    ada   Cells     -',
      'x      running, canceling  1h 01m  5    ada   Cells     a b\uFFFD[31m\uFFFDc',
      '',
    ]);
  });
});
