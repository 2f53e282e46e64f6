import stringWidth from 'string-width';
import type { DemoCase } from './batch.js';
import { statusWord } from './fake-girder/rules.js';
import type { CaseVerdict } from './verify.js';

/**
 * The final table: one line per analysis, then the plan, then the problems. With the names of the default batch it fits
 * into 80 columns.
 */
export function resultTable(verdicts: readonly CaseVerdict[]): string {
  const rows = verdicts.map(({ case: demo, ...verdict }) => [
    verdict.problems.length === 0 ? 'ok' : 'WRONG',
    demo.slideName,
    verdict.slurmJobId ?? '-',
    verdict.slurmState === '' ? '-' : verdict.slurmState,
    verdict.girderStatuses.map(statusWord).join(' > ') || '-',
  ]);
  const lines = columns([['', 'slide', 'job', 'Slurm', 'Girder'], ...rows]);
  const problems = verdicts.flatMap(({ case: demo, problems: list }) =>
    list.map((problem) => `  ${demo.slideName}: ${problem}`),
  );
  return [...lines, '', ...plan(verdicts), ...(problems.length === 0 ? [] : ['', ...problems]), ''].join(
    '\n',
  );
}

function names(cases: readonly DemoCase[]): string {
  return cases.map(({ slideName }) => slideName).join(', ');
}

function plan(verdicts: readonly CaseVerdict[]): string[] {
  const those = (wanted: (demo: DemoCase) => boolean): DemoCase[] =>
    verdicts.flatMap(({ case: demo }) => (wanted(demo) ? [demo] : []));
  const failed = those(({ expected }) => expected === 'failed');
  const canceled = those(({ expected, canceledHere }) => expected === 'canceled' && canceledHere !== true);
  const here = those(({ canceledHere }) => canceledHere === true);
  return [
    'ok: it ended as planned, for Slurm, in Girder and in its outputs. The plan:',
    ...(failed.length === 0 ? [] : [`  ${names(failed)} gets half of its slide and fails`]),
    ...(canceled.length === 0 ? [] : [`  ${names(canceled)} is canceled in Girder while it runs`]),
    ...(here.length === 0 ? [] : [`  ${here.length} canceled by you in the console`]),
    '  the others succeed',
  ];
}

/** The same for scripts. */
export function resultJson(
  verdicts: readonly CaseVerdict[],
  facts: Readonly<Record<string, unknown>>,
): string {
  const runs = verdicts.map(({ case: demo, ...verdict }) => ({
    slide: demo.slideName,
    task: demo.spelling,
    direct: demo.direct,
    taskId: demo.taskId,
    girderJobId: demo.girderJobId,
    expected: demo.expected,
    ...verdict,
  }));
  const ok = verdicts.every(({ problems }) => problems.length === 0);
  return `${JSON.stringify({ ok, ...facts, runs }, null, 2)}\n`;
}

/** The last sentence about a batch. @param seconds from the first message to the end of the last run */
export function summary(verdicts: readonly CaseVerdict[], seconds: number): string {
  const wrong = verdicts.filter(({ problems }) => problems.length > 0).length;
  const all = verdicts.length === 1 ? 'The analysis' : `All ${verdicts.length} analyses`;
  return wrong === 0
    ? `${all} ended as planned, within ${seconds.toFixed(1)} s.`
    : `${wrong} of ${verdicts.length} analyses did not end as planned.`;
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => stringWidth(row[column] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell)))
      .join('  ')
      .trimEnd(),
  );
}
