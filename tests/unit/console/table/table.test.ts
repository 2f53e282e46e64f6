import { expect, test } from 'vitest';
import { mergeRows } from '../../../../src/console/state/rows.js';
import { chooseTheme } from '../../../../src/console/terminal/theme.js';
import { jobsTable } from '../../../../src/console/views/tables/jobs.js';
import { createFakeWorker, fakeRun } from '../../../support/fake-worker-handle.js';

const theme = chooseTheme({});
const look = { width: 120, wide: false, chosen: null, sorting: null };
const context = { now: 5_000, age: { at: 0, problem: null }, theme };
const marks = { selected: false, marked: false, stale: false };

test('a row is drawn again only when one of its inputs changes', () => {
  const worker = createFakeWorker();
  worker.show({ runs: [fakeRun({ id: 'a', stage: 'running' }), fakeRun({ id: 'b' })] });
  const [row, other] = mergeRows(worker.snapshot(), []);
  if (row === undefined || other === undefined) throw new Error('two rows');
  const first = jobsTable.row(row, marks, look, context);
  expect(jobsTable.row(row, { ...marks }, { ...look }, { ...context, age: { ...context.age } })).toBe(first);
  const changes = [
    jobsTable.row(other, marks, look, context),
    jobsTable.row({ ...row }, marks, look, context),
    jobsTable.row(row, { ...marks, selected: true }, look, context),
    jobsTable.row(row, { ...marks, marked: true }, look, context),
    jobsTable.row(row, { ...marks, stale: true }, look, context),
    jobsTable.row(row, marks, { ...look, width: 80 }, context),
    jobsTable.row(row, marks, { ...look, wide: true }, context),
    jobsTable.row(row, marks, { ...look, chosen: ['job'] }, context),
    jobsTable.row(row, marks, look, { ...context, now: 6_000 }),
    jobsTable.row(row, marks, look, { ...context, age: { at: 1, problem: null } }),
    jobsTable.row(row, marks, look, { ...context, age: { at: 0, problem: 'silent' } }),
    jobsTable.row(row, marks, look, { ...context, theme: chooseTheme({ TERM: 'dumb' }) }),
  ];
  for (const line of changes) expect(line).not.toBe(first);
  expect(jobsTable.row(row, marks, look, context)).toEqual(first);
});
