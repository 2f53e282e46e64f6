import { describe, expect, test } from 'vitest';
import { visibleColumns, layoutColumns } from '../../../../src/console/table/column.js';
import { jobsColumns, nodesOrReason, squeezablePriority } from '../../../../src/console/views/tables/jobs.js';
import { fakeJob, fakeRun } from '../../../support/fake-worker-handle.js';

const all = jobsColumns.map(({ id }) => id);
const layoutAt = (width: number, wide = false): ReturnType<typeof layoutColumns> =>
  layoutColumns(visibleColumns(jobsColumns, null), width, { squeezablePriority: squeezablePriority, wide });
const shownAt = (width: number, wide = false): string[] =>
  layoutAt(width, wide).placed.map(({ column }) => column.id);

describe('layoutColumns', () => {
  test.each([
    [39, ['state', 'job', 'title']],
    [59, ['state', 'job', 'title', 'elapsed', 'nodes']],
    [79, ['state', 'job', 'name', 'title', 'elapsed', 'progress', 'nodes']],
    [199, all.filter((id) => !['memory', 'gpus', 'starts'].includes(id))],
    [299, all],
  ])('%i cells', (width, ids) => {
    expect(shownAt(width)).toEqual(ids);
  });

  test('fits more columns into a packed table', () => {
    expect(shownAt(119, true)).toEqual(
      all.filter((id) => shownAt(119).includes(id) || ['user', 'limit', 'image', 'partition'].includes(id)),
    );
    expect(shownAt(199, true)).toEqual(all);
  });

  test.each([false, true])(
    'uses the whole width, never more, and a wider terminal never loses a column (wide: %s)',
    (wide) => {
      let before: string[] = [];
      for (let width = 39; width <= 320; width += 1) {
        const { placed, gap } = layoutAt(width, wide);
        const used = placed.reduce((sum, one) => sum + one.width, 0) + gap * (placed.length - 1);
        expect(used).toBeLessThanOrEqual(width);
        if (placed.some(({ column }) => column.grow > 0)) expect(used).toBe(width);
        for (const { column, width: cells } of placed) expect(cells).toBeGreaterThanOrEqual(column.min);
        const ids = placed.map(({ column }) => column.id);
        expect(ids).toEqual(expect.arrayContaining(before));
        before = ids;
      }
    },
  );

  test('requires unique priorities', () => {
    expect(new Set(jobsColumns.map(({ priority }) => priority)).size).toBe(jobsColumns.length);
  });
});

test('nodesOrReason shows nodes, else the reason in parentheses, and the plain reason of a finished run', () => {
  const run = fakeRun({ id: 'a', stage: 'queued' });
  const row = { id: 'run:a', group: 'waiting' as const };
  const job = fakeJob({ id: '1', nodes: '', reason: 'Resources' });
  expect(nodesOrReason({ ...row, run, job })).toBe('(Resources)');
  expect(nodesOrReason({ ...row, run, job: { ...job, nodes: 'node1' } })).toBe('node1');
  expect(nodesOrReason({ ...row, run, job: null })).toBe('');
  const failed = { ...run, stage: 'finished' as const, reason: 'It broke.' };
  expect(nodesOrReason({ ...row, run: failed, job })).toBe('It broke.');
});
