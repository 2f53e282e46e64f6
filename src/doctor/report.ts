import { groups, type CheckResult, type Group, type Status } from './check.js';

/** Format of a report. */
export interface ReportStyle {
  colour: boolean;
  /** Without it, ASCII symbols. */
  unicode: boolean;
  /** Include the evidence of passed checks and links to the documentation. */
  verbose: boolean;
}

export interface Summary {
  ok: number;
  warn: number;
  fail: number;
  skip: number;
  /** Milliseconds for the whole run. */
  ms: number;
}

const groupTitles: Readonly<Record<Group, string>> = {
  host: 'Host',
  configuration: 'Configuration',
  directories: 'Directories',
  slurm: 'Slurm',
  apptainer: 'Apptainer',
  images: 'Images',
  rabbitmq: 'RabbitMQ',
  mongo: 'MongoDB',
  girder: 'Girder',
  celery: 'Celery',
  worker: 'Worker',
};

const signs: Readonly<Record<Status, { unicode: string; ascii: string; word: string; colour: string }>> = {
  ok: { unicode: '✓', ascii: '+', word: 'ok', colour: '32' },
  warn: { unicode: '!', ascii: '!', word: 'warn', colour: '33' },
  fail: { unicode: '✗', ascii: 'x', word: 'FAIL', colour: '1;31' },
  skip: { unicode: '–', ascii: '-', word: 'skip', colour: '2' },
};

/** Counts by status. */
export function summaryOf(results: readonly CheckResult[], ms: number): Summary {
  const number = (status: Status) => results.filter((result) => result.status === status).length;
  return {
    ok: number('ok'),
    warn: number('warn'),
    fail: number('fail'),
    skip: number('skip'),
    ms: Math.round(ms),
  };
}

/** 1 if a check failed, or warned with `strict`; else 0. */
export function exitCodeOf({ fail, warn }: Summary, strict: boolean): 0 | 1 {
  return fail > 0 || (strict && warn > 0) ? 1 : 0;
}

/** The report as text, with a trailing newline. */
export function renderReport(results: readonly CheckResult[], summary: Summary, style: ReportStyle): string {
  const width = Math.max(0, ...results.map(({ title }) => title.length));
  const lines: string[] = [];
  for (const group of groups) {
    const members = results.filter((result) => result.group === group);
    if (members.length === 0) continue;
    lines.push(paint(groupTitles[group], '1', style));
    for (const result of members) lines.push(...renderResult(result, width, style));
    lines.push('');
  }
  return `${lines.join('\n')}\n${totals(summary, style)}\n`;
}

function renderResult(result: CheckResult, width: number, style: ReportStyle): string[] {
  const { unicode, ascii, word, colour } = signs[result.status];
  const sign = paint(`${style.unicode ? unicode : ascii} ${word.padEnd(4)}`, colour, style);
  const time = `${result.ms} ms`.padStart(8);
  const head = `  ${sign}  ${result.title.padEnd(width)}`;
  const indent = ' '.repeat(10);
  switch (result.status) {
    case 'skip':
      return [`${head}           ${paint(result.evidence.join('; '), '2', style)}`];
    case 'ok': {
      const evidence = style.verbose ? result.evidence.map((line) => indent + line) : [];
      return [`${head}  ${paint(time, '2', style)}`, ...evidence];
    }
    case 'warn':
    case 'fail':
      return [
        `${head}  ${paint(time, '2', style)}`,
        ...result.evidence.map((line) => indent + line),
        ...(result.fix ?? '').split('\n').flatMap((line) => (line === '' ? [] : [`${indent}fix: ${line}`])),
        ...(style.verbose && result.docs !== undefined ? [`${indent}docs: ${result.docs}`] : []),
      ];
  }
}

function totals({ ok, warn, fail, skip, ms }: Summary, style: ReportStyle): string {
  const parts = [
    paint(`${ok} ok`, ok > 0 ? signs.ok.colour : '2', style),
    paint(`${warn} warn`, warn > 0 ? signs.warn.colour : '2', style),
    paint(`${fail} failed`, fail > 0 ? signs.fail.colour : '2', style),
    paint(`${skip} skipped`, '2', style),
  ];
  return `${parts.join(', ')} in ${(ms / 1_000).toFixed(1)} s`;
}

function paint(text: string, colour: string, style: ReportStyle): string {
  return style.colour ? `\u001B[${colour}m${text}\u001B[0m` : text;
}

/** The report for scripts; see docs/doctor.md. */
export function jsonReport(
  results: readonly CheckResult[],
  summary: Summary,
): { checks: readonly CheckResult[]; summary: Summary } {
  return { checks: results, summary };
}
