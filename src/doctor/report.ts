import { cellWidth, wrapWords } from '../base/text/cells.js';
import { packageFile } from '../base/package-file.js';
import { groups, type CheckResult, type Group, type Status } from './check.js';
import { count } from './check-result.js';

/** Format of a report. */
export interface ReportStyle {
  colour: boolean;
  /** Without it, ASCII symbols. */
  unicode: boolean;
  /** List all checks, with the evidence of passed ones, the reasons of skipped ones and links to the documentation. */
  verbose: boolean;
  /** Width in cells at which lines are wrapped; null: not at all. */
  columns: number | null;
}

/** What a report says besides the results. */
export interface ReportContext {
  /** The command to run next; null: the report ends without one. */
  next: string | null;
  /** The profile has no file yet. */
  isNew: boolean;
  /** The run was interrupted: checks that had not ended are among the skipped ones. */
  interrupted: boolean;
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

const longestTitle = Math.max(...Object.values(groupTitles).map((title) => title.length));

const signs: Readonly<Record<Status, { unicode: string; ascii: string; word: string; colour: string }>> = {
  ok: { unicode: '✓', ascii: '+', word: 'ok', colour: '32' },
  warn: { unicode: '!', ascii: '!', word: 'warn', colour: '33' },
  fail: { unicode: '✗', ascii: 'x', word: 'FAIL', colour: '31' },
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

/**
 * The report as text, with a trailing newline: the verdict, each problem with its evidence and fix, one line per group, and the
 * next command.
 */
export function renderReport(
  results: readonly CheckResult[],
  summary: Summary,
  style: ReportStyle,
  context: ReportContext,
): string {
  const problems = problemsOf(results);
  const blocks = [
    verdict(summary, style, context),
    ...problems.map((result, index) => problemLines(result, index + 1, style)),
    style.verbose
      ? groups.flatMap((group) => checkLines(results, group, style))
      : groups.flatMap((group) => groupLine(results, group, problems, style)),
    totals(summary, style),
    ...(context.next === null ? [] : [wrapped('Next: ', context.next, style, { isCommand: true })]),
  ];
  const text = `${blocks
    .filter((block) => block.length > 0)
    .map((block) => block.join('\n'))
    .join('\n\n')}\n`;
  return style.unicode ? text : asciiText(text);
}

/** Failures, then warnings, each in the order of the report: their numbers are those of the report. */
function problemsOf(results: readonly CheckResult[]): CheckResult[] {
  return (['fail', 'warn'] as const).flatMap((status) => results.filter((each) => each.status === status));
}

function verdict({ ok, warn, fail }: Summary, style: ReportStyle, context: ReportContext): string[] {
  const { isNew, interrupted } = context;
  const lines = [
    ...(interrupted ? ['Interrupted: not all checks have ended.'] : []),
    ...(isNew && fail > 0 ? ['No profile yet: dsa-slurm init asks for what is missing, and writes it.'] : []),
  ];
  const warnings = warn === 0 ? '' : `; ${count(warn, 'warning')}`;
  const [sentence, status] =
    fail > 0
      ? [
          `${count(fail, 'thing')} ${fail === 1 ? 'keeps' : 'keep'} this site from working${warnings}.`,
          'fail' as const,
        ]
      : warn > 0
        ? [`Nothing failed; ${count(warn, 'warning')}.`, 'warn' as const]
        : ok > 0
          ? [ok === 1 ? 'The check passed.' : `All ${ok} checks passed.`, 'ok' as const]
          : ['No check was run.', 'skip' as const];
  return [...lines, sentence].flatMap((line) =>
    wrapped('', line, style).map((each) => paint(each, `1;${signs[status].colour}`, style)),
  );
}

function problemLines(result: CheckResult, number: number, style: ReportStyle): string[] {
  const { group, title, status, evidence, fix, id, docs } = result;
  const { colour } = signs[status];
  const front = `${String(number).padStart(2)} `;
  const [first = '', ...more] = wrapped(
    `${front}${sign(status, style)} `,
    `${groupTitles[group]}: ${title}`,
    style,
  );
  const hasRoom = style.columns === null || cellWidth(`${first}  ${id}`) <= style.columns;
  const indent = ' '.repeat(5);
  return [
    `${paint(first, colour, style)}${more.length === 0 && hasRoom ? paint(`  ${id}`, '2', style) : ''}`,
    ...more.map((line) => paint(line, colour, style)),
    ...evidence.flatMap((line) => wrapped(indent, line, style)),
    ...(fix ?? '')
      .split('\n')
      .filter(Boolean)
      .flatMap((line) => wrapped(`${indent}fix: `, line, style, { isCommand: isCommand(line) })),
    ...(style.verbose && docs !== undefined ? wrapped(`${indent}docs: `, docsPath(docs), style) : []),
  ];
}

/** `✗ Slurm  4 passed, 1 failed (2), 3 not run`, with the numbers of its problems. */
function groupLine(
  results: readonly CheckResult[],
  group: Group,
  problems: readonly CheckResult[],
  style: ReportStyle,
): string[] {
  const members = results.filter((result) => result.group === group);
  if (members.length === 0) return [];
  const worst = (['fail', 'warn', 'ok', 'skip'] as const).find((status) =>
    members.some((result) => result.status === status),
  );
  const words = { ok: 'passed', fail: 'failed', warn: 'warned', skip: 'not run' };
  const parts = (['ok', 'fail', 'warn', 'skip'] as const).flatMap((status) => {
    const found = members.filter((result) => result.status === status);
    if (found.length === 0) return [];
    const numbers = found.map((result) => problems.indexOf(result) + 1).filter((number) => number > 0);
    return [`${found.length} ${words[status]}${numbers.length === 0 ? '' : ` (${numbers.join(', ')})`}`];
  });
  const { colour } = signs[worst ?? 'skip'];
  const name = groupTitles[group].padEnd(longestTitle);
  const [first = '', ...more] = wrapped(`${sign(worst ?? 'skip', style)} ${name}  `, parts.join(', '), style);
  return [
    `${paint(first.slice(0, 1), colour, style)}${worst === 'skip' ? paint(first.slice(1), '2', style) : first.slice(1)}`,
    ...more,
  ];
}

/** All checks of a group with their evidence. */
function checkLines(results: readonly CheckResult[], group: Group, style: ReportStyle): string[] {
  const members = results.filter((result) => result.group === group);
  if (members.length === 0) return [];
  return [
    paint(groupTitles[group], '1', style),
    ...members.flatMap(({ status, title, id, ms, evidence }) => {
      const { word, colour } = signs[status];
      const time = status === 'skip' ? '' : `, ${ms} ms`;
      const [first = '', ...more] = wrapped(
        `  ${sign(status, style)} ${word.padEnd(4)}  `,
        `${title} (${id}${time})`,
        style,
      );
      // the evidence of problems is above
      const lines = status === 'ok' || status === 'skip' ? evidence : [];
      return [
        `${paint(first.slice(0, 8), colour, style)}${first.slice(8)}`,
        ...more,
        ...lines.flatMap((line) =>
          wrapped(' '.repeat(10), line, style).map((each) => paint(each, '2', style)),
        ),
      ];
    }),
  ];
}

/** `21 passed, 2 warnings, 4 failed, 32 not run` */
export function totalsText({ ok, warn, fail, skip }: Pick<Summary, Status>): string {
  return `${ok} passed, ${count(warn, 'warning')}, ${fail} failed, ${skip} not run`;
}

function totals(summary: Summary, style: ReportStyle): string[] {
  const hint = summary.skip > 0 && !style.verbose ? '; -v lists all checks, and why some were not run' : '';
  return wrapped('', `${totalsText(summary)}, in ${(summary.ms / 1_000).toFixed(1)} s${hint}`, style).map(
    (line) => paint(line, '2', style),
  );
}

function sign(status: Status, { unicode }: ReportStyle): string {
  return signs[status][unicode ? 'unicode' : 'ascii'];
}

/** Text behind `front`, wrapped at words and indented below it. A command is continued with backslashes: it can be pasted. */
function wrapped(
  front: string,
  text: string,
  { columns }: Pick<ReportStyle, 'columns'>,
  options: { isCommand?: boolean } = {},
): string[] {
  if (columns === null) return [front + text];
  const indent = ' '.repeat(cellWidth(front));
  const room = Math.max(20, columns - cellWidth(front));
  const pieces = options.isCommand === true ? wrapCommand(text, room) : wrapWords(text, room);
  return pieces.map((piece, index) => (index === 0 ? front : indent) + piece);
}

/** Where the documentation of a check is on this machine. @param docs `docs/doctor.md#slurm-controller` */
function docsPath(docs: string): string {
  const [file = '', anchor = ''] = docs.split('#');
  return `${packageFile(file)}#${anchor}`;
}

/** A fix is a command or a sentence. */
function isCommand(fix: string): boolean {
  return !/^\p{Lu}/u.test(fix) && !fix.endsWith('.');
}

/** Breaks a command between its words, and never in a quoted one. Its comment goes to a line of its own. */
function wrapCommand(command: string, width: number): string[] {
  if (cellWidth(command) <= width) return [command];
  const [, line = command, comment] = /^(.*?\S)\s+(#\s.*)$/u.exec(command) ?? [];
  const words = line.match(/(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+/gu) ?? [line];
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && cellWidth(`${last} ${word} \\`) <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(lines.length === 0 ? word : `  ${word}`);
  }
  return [
    ...lines.map((each, index) => (index === lines.length - 1 ? each : `${each} \\`)),
    ...(comment === undefined
      ? []
      : wrapWords(comment, width - 2).map((each, index) => (index === 0 ? each : `# ${each}`))),
  ];
}

/** Typographic characters of messages in ASCII, for terminals without UTF-8. */
function asciiText(text: string): string {
  return text
    .replaceAll(/[\u2018\u2019]/gu, "'")
    .replaceAll(/[\u201C\u201D]/gu, '"')
    .replaceAll(/[\u2013\u2014]/gu, '-')
    .replaceAll('\u2026', '...');
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
