import { expect, test } from 'vitest';
import { planBatch } from '../../../src/sandbox/batch.js';
import { resultTable } from '../../../src/sandbox/report.js';
import { statusProblems, type Verdict } from '../../../src/sandbox/verify.js';

test.each([1, 2, 3, 12, 40])('a batch of %d: one failure and one cancel as far as there is room', (count) => {
  const expected = planBatch(count).map((planned) => planned.expected);
  expect(expected).toHaveLength(count);
  expect(expected.filter((outcome) => outcome === 'failed')).toHaveLength(count > 1 ? 1 : 0);
  expect(expected.filter((outcome) => outcome === 'canceled')).toHaveLength(count > 2 ? 1 : 0);
});

test('the usual batch has every spelling, a direct path, and names beyond ASCII', () => {
  const plan = planBatch(12);
  expect(new Set(plan.map((planned) => planned.spelling)).size).toBe(4);
  expect(plan.some((planned) => planned.direct && planned.expected === 'succeeded')).toBe(true);
  expect(plan.some((planned) => /[^ -~]/.test(planned.slideName))).toBe(true);
  expect(new Set(plan.map((planned) => planned.slideName)).size).toBe(12);
});

test.each([
  ['succeeded', [2, 3], true],
  ['succeeded', [1, 2, 3], true],
  ['succeeded', [2, 4], false],
  ['succeeded', [], false],
  ['failed', [2, 4], true],
  ['failed', [1, 4], false],
  ['canceled', [2, 824, 5], true],
  ['canceled', [2, 5], false],
  ['canceled', [2, 3], false],
] as const)('%s with the statuses %j', (expected, statuses, right) => {
  expect(statusProblems(expected, statuses).length === 0).toBe(right);
});

test('the table names what is wrong', () => {
  const [planned] = planBatch(1);
  if (planned === undefined) throw new Error('no case');
  const verdict: Verdict = {
    case: { ...planned, taskId: 't', girderJobId: 'g', resultFolderId: 'r' },
    outcome: 'failed',
    slurmJobId: '7',
    slurmState: 'FAILED',
    girderStatuses: [2, 4],
    problems: ["Girder's status is 4"],
  };
  const text = resultTable([verdict, { ...verdict, outcome: 'succeeded', problems: [] }]);
  expect(text).toMatch(/^WRONG +slide 1\.tiff +7 +FAILED +failed +succeeded +2 4 +docker$/m);
  expect(text).toMatch(/^ok +slide/m);
  expect(text).toContain("slide 1.tiff: Girder's status is 4");
});
