import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { expectedLines, expectedOutputs } from '../../chaos/image.js';
import { journalLines, moments, planChaos, type PlannedRun } from '../../chaos/plan.js';
import { createRandom } from '../../chaos/random.js';
import { isClean, reportJson, reportTable } from '../../chaos/report.js';
import { judgeRun, type RunRemains } from '../../chaos/verify.js';

const sizes = {
  seed: fc.nat(),
  kills: fc.integer({ min: 0, max: 300 }),
  runs: fc.integer({ min: 0, max: 300 }),
};

describe('the plan', () => {
  test('depends on the seed alone', () => {
    fc.assert(
      fc.property(fc.record(sizes), (size) => {
        const plan = planChaos(size);
        expect(planChaos(size)).toEqual(plan);
        expect([plan.workers.length, plan.runs.length]).toEqual([size.kills, size.runs]);
      }),
    );
    expect(planChaos({ seed: 1, kills: 20, runs: 20 })).not.toEqual(
      planChaos({ seed: 2, kills: 20, runs: 20 }),
    );
  });

  test('covers every journal step with two hundred kills', () => {
    const { workers } = planChaos({ seed: 1, kills: 200, runs: 1 });
    const seen = new Set(
      workers.map(({ kill }) => (kill.kind === 'line' ? `${kill.line} ${kill.moment}` : kill.kind)),
    );
    const steps = journalLines.flatMap((line) => moments.map((moment) => `${line} ${moment}`));
    expect(seen).toEqual(new Set([...steps, 'start', 'time']));
  });
});

const byValue = (a: number, b: number): number => a - b;

test('a shuffled list has the same elements', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat()), (seed, list) => {
      expect(createRandom(seed).shuffle(list).sort(byValue)).toEqual([...list].sort(byValue));
    }),
  );
});

const planned: PlannedRun = {
  number: 7,
  spelling: 'docker',
  lines: 3,
  alike: false,
  seconds: 1,
  exitCode: 0,
  directory: true,
  cancelAfterMs: null,
  twice: false,
};
const good: RunRemains = {
  planned,
  isCanceledByUser: false,
  statuses: [2, 3],
  log: `Fetching “x”.\n${expectedLines(planned).join('\n')}\nUploading “y”.\n`,
  outputs: [...expectedOutputs(planned)],
  jobs: [{ id: '1', state: 'COMPLETED' }],
};
const failing: RunRemains = {
  ...good,
  planned: { ...planned, exitCode: 9 },
  statuses: [2, 4],
  log: `${expectedLines(planned).join('\n')}\nIt failed (Slurm job 1, state FAILED, exit code 9)\n  line 3\n  end\n`,
  outputs: [],
  jobs: [{ id: '1', state: 'FAILED' }],
};
const canceled: RunRemains = {
  ...good,
  isCanceledByUser: true,
  statuses: [2, 824, 5],
  log: 'line 1\n',
  outputs: [],
  jobs: [{ id: '1', state: 'CANCELLED' }],
};
const alike = { ...planned, alike: true };

describe('the verdict on a run', () => {
  test.each<[string, RunRemains]>([
    ['succeeded', good],
    ['failed', failing],
    ['canceled', canceled],
    ['canceled before it had a job', { ...canceled, log: '', jobs: [] }],
    ['canceled too late', { ...good, isCanceledByUser: true }],
    ['canceled when it had failed', { ...failing, isCanceledByUser: true, statuses: [2, 824, 4] }],
    ['with lines all alike', { ...good, planned: alike, log: 'tick\ntick\ntick\nend\n' }],
  ])('is as it should be: %s', (_, remains) => {
    expect(judgeRun(remains)).toEqual([]);
  });

  test.each<[string, RunRemains, string[]]>([
    ['never ended', { ...good, statuses: [2], outputs: [] }, ['lost']],
    ['no job', { ...good, jobs: [] }, ['lost']],
    ['two jobs', { ...good, jobs: [...good.jobs, { id: '2', state: 'COMPLETED' }] }, ['doubled']],
    ['another outcome than Slurm says', { ...failing, statuses: [2, 3], outputs: good.outputs }, ['wrong']],
    ['a job that still runs', { ...good, jobs: [{ id: '1', state: 'RUNNING' }] }, ['wrong', 'wrong']],
    ['two outcomes', { ...good, statuses: [2, 4, 3] }, ['doubled']],
    [
      'a cancel that became a failure',
      { ...good, isCanceledByUser: true, statuses: [2, 824, 4], outputs: [] },
      ['wrong'],
    ],
    ['canceled by nobody', { ...canceled, isCanceledByUser: false }, ['wrong']],
    ['a line is missing', { ...good, log: good.log.replace('line 2\n', '') }, ['lost']],
    ['a line twice', { ...good, log: good.log.replace('line 2\n', 'line 2\nline 2\n') }, ['doubled']],
    ['lines out of order', { ...good, log: 'line 2\nline 1\nline 3\nend\n' }, ['wrong']],
    ['one tick too few', { ...good, planned: alike, log: 'tick\ntick\nend\n' }, ['lost']],
    ['its reason twice', { ...failing, log: `${failing.log}${failing.log.slice(25)}` }, ['doubled']],
    ['no reason', { ...failing, log: 'line 1\nline 2\nline 3\nend\n' }, ['lost']],
    ['an output is missing', { ...good, outputs: good.outputs.slice(1) }, ['lost']],
    ['an output twice', { ...good, outputs: [...good.outputs, ...good.outputs.slice(0, 1)] }, ['doubled']],
    [
      'an output torn',
      { ...good, outputs: good.outputs.map(([name]) => [name, '']) },
      ['wrong', 'wrong', 'wrong', 'wrong'],
    ],
    ['an output of a failed one', { ...failing, outputs: [['a', '']] }, ['wrong']],
  ])('is not: %s', (_, remains, kinds) => {
    expect(judgeRun(remains).map(({ kind }) => kind)).toEqual(kinds);
  });
});

test('the report counts runs, not findings', () => {
  const report = {
    seed: 5,
    dir: '/d',
    seconds: 61,
    kills: new Map([['submitting, torn', 2]]),
    faults: new Map([['broker: cut', 3]]),
    starts: [900, 1_000, 5_000],
    runs: { total: 3, succeeded: 1, failed: 1, canceled: 1 },
    problems: [
      { run: 'run 1', kind: 'doubled' as const, what: 'log line “a”' },
      { run: 'run 1', kind: 'doubled' as const, what: 'log line “b”' },
      { run: '', kind: 'wrong' as const, what: 'left in TMP: x' },
    ],
  };
  expect(isClean(report)).toBe(false);
  expect(isClean({ ...report, problems: [] })).toBe(true);
  const table = reportTable(report);
  expect(table).toMatch(/^submitting +· +2 +· +·$/m);
  expect(table).toMatch(/^seed +5$/m);
  expect(table).toMatch(/^doubled +1$/m);
  expect(table).toContain('doubled: run 1: log line “b”');
  expect(JSON.parse(reportJson(report))).toMatchObject({
    lost: 0,
    doubled: 1,
    wrong: 1,
    startMs: { median: 1_000 },
  });
});
