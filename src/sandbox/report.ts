import stringWidth from 'string-width';
import type { Verdict } from './verify.js';

/** The table at the end: one line a run, and below it what is wrong. */
export function resultTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ case: demo, ...verdict }) => [
    verdict.problems.length === 0 ? 'ok' : 'WRONG',
    demo.slideName,
    verdict.slurmJobId ?? '-',
    verdict.slurmState === '' ? '-' : verdict.slurmState,
    verdict.outcome ?? '-',
    demo.expected,
    verdict.girderStatuses.join(' ') || '-',
    demo.spelling + (demo.direct ? ', direct' : ''),
  ]);
  const head = ['', 'slide', 'job', 'Slurm', 'outcome', 'expected', 'Girder', 'task'];
  const lines = columns([head, ...rows]);
  const problems = verdicts.flatMap(({ case: demo, problems: list }) =>
    list.map((problem) => `  ${demo.slideName}: ${problem}`),
  );
  return [...lines, ...(problems.length === 0 ? [] : ['', ...problems]), ''].join('\n');
}

/** The same for scripts. */
export function resultJson(verdicts: readonly Verdict[], facts: Readonly<Record<string, unknown>>): string {
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
