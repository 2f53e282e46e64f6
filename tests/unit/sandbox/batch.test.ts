import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { planBatch } from '../../../src/sandbox/batch.js';
import { resultTable, summary } from '../../../src/sandbox/report.js';
import { unexpectedStatuses, type CaseVerdict } from '../../../src/sandbox/verify.js';

test.each([1, 2, 3, 12, 40])('a batch of %d: one failure and one cancel if it is large enough', (count) => {
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
  expect(unexpectedStatuses(expected, statuses).length === 0).toBe(right);
});

function verdictOn(index: number, seen: Partial<CaseVerdict>): CaseVerdict {
  const planned = planBatch(12)[index];
  if (planned === undefined) throw new Error('no case');
  return {
    case: { ...planned, taskId: 't', girderJobId: 'g', resultFolderId: 'r', assetPath: '/a' },
    outcome: planned.expected,
    slurmJobId: String(index + 1),
    slurmState: 'COMPLETED',
    girderStatuses: [2, 3],
    problems: [],
    ...seen,
  };
}

describe('the table', () => {
  test('has a text for every state, shows the plan, and fits into 80 columns', () => {
    const verdicts = Array.from({ length: 12 }, (_, index) => verdictOn(index, {}));
    verdicts[10] = verdictOn(10, { slurmState: 'FAILED', girderStatuses: [2, 4] });
    verdicts[11] = verdictOn(11, { slurmState: 'CANCELLED', girderStatuses: [2, 824, 5] });
    const text = resultTable(verdicts);
    expect(text).toMatch(/^ok +slide 1\.tiff +1 +COMPLETED +running > success$/m);
    expect(text).toMatch(/^ok +Schnitt 12 .* +CANCELLED +running > canceling > canceled$/m);
    expect(text).toMatch(/^ {2}slide 11\.tiff gets half of its slide and fails$/m);
    expect(text).toMatch(/^ {2}Schnitt 12 Färbung HE\.tiff is canceled in Girder while it runs$/m);
    for (const line of text.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    expect(summary(verdicts, 31.24)).toBe('All 12 analyses ended as planned, within 31.2 s.');
  });

  test('names what is wrong', () => {
    const wrong = verdictOn(0, {
      slurmState: 'FAILED',
      girderStatuses: [2, 4],
      problems: ["Girder's status is error"],
    });
    const text = resultTable([wrong, verdictOn(1, {})]);
    expect(text).toMatch(/^WRONG +slide 1\.tiff +1 +FAILED +running > error$/m);
    expect(text).toContain("slide 1.tiff: Girder's status is error");
    expect(summary([wrong, verdictOn(1, {})], 1)).toBe('1 of 2 analyses did not end as planned.');
  });
});
