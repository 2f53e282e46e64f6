import { journalLines, moments, type ChaosPlan, type PlannedKill } from './plan.js';
import type { Problem } from './verify.js';

/** Result of a chaos run. */
export interface ChaosReport {
  seed: number;
  dir: string;
  seconds: number;
  /** Number of kills by name: `submitting, torn`, `any time`. */
  kills: ReadonlyMap<string, number>;
  faults: ReadonlyMap<string, number>;
  /** Milliseconds from the start of a worker process until it took tasks. */
  starts: readonly number[];
  runs: { total: number; succeeded: number; failed: number; canceled: number };
  problems: readonly (Problem & { run: string })[];
}

export const anyTime = 'any time';

export function killName(kill: PlannedKill): string {
  switch (kill.kind) {
    case 'line':
      return `${kill.line}, ${kill.moment}`;
    case 'start':
      return `start, ${kill.moment}`;
    case 'time':
      return anyTime;
  }
}

export function isClean({ problems }: ChaosReport): boolean {
  return problems.length === 0;
}

function count({ problems }: ChaosReport, kind: Problem['kind']): number {
  return new Set(problems.filter((problem) => problem.kind === kind).map(({ run, what }) => run || what))
    .size;
}

function median(values: readonly number[], part = 0.5): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? 0;
}

const total = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, each) => sum + each, 0);

/** The report as text. */
export function reportTable(report: ChaosReport): string {
  const { kills, faults, runs, starts, problems } = report;
  const rows: string[][] = [['killed at', ...moments]];
  const cell = (name: string): string => String(kills.get(name) ?? '·');
  for (const line of journalLines) rows.push([line, ...moments.map((moment) => cell(`${line}, ${moment}`))]);
  rows.push(['start', ...moments.map((moment) => cell(`start, ${moment}`))]);
  rows.push([anyTime, cell(anyTime)]);
  const other = [...faults]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, times]) => [name, String(times)]);
  const facts = [
    ['seed', String(report.seed)],
    ['kills', String(total(kills))],
    ['other faults', String(total(faults))],
    ['runs', `${runs.total} (${runs.succeeded} succeeded, ${runs.failed} failed, ${runs.canceled} canceled)`],
    ['start of a worker', `median ${median(starts)} ms, 90 % within ${median(starts, 0.9)} ms`],
    ['duration', `${Math.round(report.seconds)} s`],
    ['lost', String(count(report, 'lost'))],
    ['doubled', String(count(report, 'doubled'))],
    ['wrong', String(count(report, 'wrong'))],
  ];
  const found = problems.map(({ run, kind, what }) => `${kind}: ${run === '' ? '' : `${run}: `}${what}`);
  return [columns(rows), columns([['other faults', 'times'], ...other]), columns(facts), ...found].join(
    '\n\n',
  );
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((text, index) => (widths[index] = Math.max(widths[index] ?? 0, text.length)));
  return rows
    .map((row) =>
      row
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The report as JSON. */
export function reportJson(report: ChaosReport): string {
  const { kills, faults, starts, ...rest } = report;
  return JSON.stringify(
    {
      ...rest,
      lost: count(report, 'lost'),
      doubled: count(report, 'doubled'),
      wrong: count(report, 'wrong'),
      kills: Object.fromEntries(kills),
      faults: Object.fromEntries(faults),
      startMs: { median: median(starts), p90: median(starts, 0.9) },
    },
    null,
    2,
  );
}

/** The plan in one line, so that two runs of one seed can be compared. */
export function planLine({ seed, workers, runs }: ChaosPlan): string {
  return `Seed ${seed}: ${workers.length} kills, ${workers.flatMap(({ faults }) => faults).length} other faults planned, over ${runs.length} runs.`;
}
