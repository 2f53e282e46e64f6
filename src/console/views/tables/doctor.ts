import { formatAge, formatDuration } from '../../../base/text/duration.js';
import { isDoctorRunning, type DoctorResult } from '../../state/doctor-state.js';
import type { CheckItem } from '../../state/table-rows.js';
import { formatDateTime, formatCount } from '../format.js';
import type { ConsoleState } from '../../state/state.js';
import { textColumn, type Column } from '../../table/column.js';
import { defineTable } from '../../table/table.js';
import { cleanText, fit, wrapWords } from '../../terminal/text.js';
import { span, type Glyphs, type Line, type Span, type Theme, type Tone } from '../../terminal/theme.js';
import { factLines } from '../pages/facts.js';
import type { TableView } from './table-view.js';

type CheckStatus = DoctorResult['status'] | 'pending' | 'unknown';

const statusStyles: Readonly<Record<CheckStatus, { glyph: keyof Glyphs; word: string; tone: Tone }>> = {
  ok: { glyph: 'succeeded', word: 'ok', tone: 'good' },
  warn: { glyph: 'warning', word: 'warn', tone: 'warning' },
  fail: { glyph: 'failed', word: 'FAIL', tone: 'bad' },
  skip: { glyph: 'canceled', word: 'skip', tone: 'muted' },
  pending: { glyph: 'working', word: 'running', tone: 'busy' },
  unknown: { glyph: 'unknown', word: 'not run', tone: 'muted' },
};

const bySeverity: readonly (DoctorResult['status'] | undefined)[] = ['fail', 'warn', undefined, 'ok', 'skip'];
const severityOf = ({ found }: CheckItem): number => bySeverity.indexOf(found?.result.status);

const statusOf = ({ found, pending }: CheckItem): CheckStatus =>
  pending ? 'pending' : (found?.result.status ?? 'unknown');

const columns: readonly Column<CheckItem>[] = [
  {
    id: 'status',
    title: 'STATUS',
    min: 9,
    comfortable: 9,
    grow: 0,
    priority: 1,
    align: 'left',
    sortKey: 'A',
    value: statusOf,
    cell(item, width, { theme: { glyphs } }) {
      const { glyph, word, tone } = statusStyles[statusOf(item)];
      return [span(fit(`${glyphs[glyph]} ${word}`, width, 'left', glyphs.ellipsis), tone)];
    },
  },
  textColumn(
    { id: 'group', title: 'GROUP', min: 11, comfortable: 13, priority: 3, sortKey: 'P' },
    ({ check }) => check.group,
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'check', title: 'CHECK', min: 20, comfortable: 34, grow: 1, priority: 2, sortKey: 'N' },
    ({ check }) => check.title,
  ),
  textColumn({ id: 'id', title: 'ID', min: 14, comfortable: 26, priority: 8 }, ({ id }) => id, {
    tone: 'muted',
  }),
  textColumn(
    { id: 'took', title: 'TOOK', min: 7, comfortable: 7, priority: 6, align: 'right', sortKey: 'D' },
    ({ found }) => (found === null || found.result.status === 'skip' ? null : found.result.ms / 1_000),
    { tone: 'muted', shownAs: (seconds) => formatDuration(Number(seconds) * 1_000) },
  ),
  textColumn(
    { id: 'age', title: 'AGE', min: 7, comfortable: 7, priority: 5, align: 'right' },
    ({ found }, { now }) => (found === null ? null : (now - found.at) / 1_000),
    { tone: 'muted', shownAs: (seconds) => formatAge(Number(seconds) * 1_000) },
  ),
  textColumn(
    { id: 'evidence', title: 'EVIDENCE', min: 16, comfortable: 30, grow: 4, priority: 4 },
    ({ found }) => found?.result.evidence.join('; ') ?? null,
    {
      tone: (item) =>
        statusOf(item) === 'fail' || statusOf(item) === 'warn' ? statusStyles[statusOf(item)].tone : 'muted',
    },
  ),
];

export const doctorView: TableView<CheckItem> = {
  table: defineTable<CheckItem>({
    columns,
    squeezablePriority: 4,
    searchTexts: ({ found }) => [found?.result.fix],
    isError: ({ found }) => found?.result.status === 'fail' || found?.result.status === 'warn',
  }),
  label: 'doctor',
  liveViews: [],
  // the worst first; while a check runs, its row stays where its last result put it
  rows: ({ doctor: { checks, results, pending } }) =>
    checks
      .map((check): CheckItem => ({
        id: check.id,
        check,
        found: results.get(check.id) ?? null,
        pending: pending.has(check.id),
      }))
      .toSorted((a, b) => severityOf(a) - severityOf(b)),
  age: ({ doctor: { startedAt, endedAt, error } }) => ({ at: endedAt ?? startedAt, problem: error }),
  progress,
  emptyReason: ({ doctor }) =>
    isDoctorRunning(doctor)
      ? 'The doctor is starting.'
      : 'No check has been run yet. Press r to run all of them.',
  details: ({ check, found }) => [
    check.title,
    found?.result.fix ?? found?.result.evidence.join('; '),
    check.id,
  ],
  openTarget: () => ({ kind: 'page' }),
  page: checkPage,
  totals,
  copyText: (item) => item.found?.result.fix ?? item.id,
};

/** How many checks have completed, while the doctor is running. */
function progress({ doctor, now }: ConsoleState, { glyphs }: Theme): Span | null {
  if (!isDoctorRunning(doctor)) return null;
  const { pending, checks, startedAt } = doctor;
  if (checks.length === 0) return span(` ${glyphs.working} doctor: starting`, 'busy');
  return span(
    ` ${glyphs.working} doctor: ${formatCount(checks.length - pending.size)} of ${formatCount(checks.length)} done, ${formatAge(now - (startedAt ?? now))}`,
    'busy',
  );
}

function totals({ tables }: ConsoleState, { glyphs }: Theme): Span[] {
  return (['ok', 'warn', 'fail', 'skip'] as const).flatMap((status, index) => {
    const number = tables.doctor.rows.filter(({ found }) => found?.result.status === status).length;
    const { glyph, tone } = statusStyles[status];
    const word = { ok: 'ok', warn: 'warnings', fail: 'failed', skip: 'skipped' }[status];
    const text = `${index === 0 ? '' : '   '}${glyphs[glyph]} ${formatCount(number)} ${word}`;
    return [span(text, number === 0 ? 'muted' : tone)];
  });
}

function checkPage(item: CheckItem, { size, now }: ConsoleState, { glyphs }: Theme): Line[] {
  const { check, found } = item;
  const { glyph, word, tone } = statusStyles[statusOf(item)];
  const { columns: width } = size;
  const head: Line = {
    spans: [span(` ${glyphs[glyph]} ${word}`, tone), span(`  ${cleanText(check.title)}`, 'strong')],
  };
  if (found === null) return [head];
  const { result, at } = found;
  return [
    head,
    { spans: [] },
    ...textSection('Evidence', result.evidence, width, item.pending ? 'muted' : 'plain'),
    ...textSection('What to do', result.fix?.split('\n') ?? [], width, 'strong'),
    ...factLines(
      'Check',
      [
        ['id', check.id],
        ['group', check.group],
        ['checked', `${formatDateTime(at)}, ${formatAge(now - at)} ago`],
        ['took', result.status === 'skip' ? null : formatDuration(result.ms)],
        ['documentation', result.docs],
      ],
      width,
    ),
    { spans: [span(' r runs this check again, y copies the fix.', 'muted')] },
  ];
}

/** A heading with wrapped lines below it; empty if there are no lines. */
function textSection(title: string, lines: readonly string[], width: number, tone: Tone): Line[] {
  const wrapped = lines
    .filter(Boolean)
    .flatMap((line) => wrapWords(cleanText(line), Math.max(10, width - 4)));
  if (wrapped.length === 0) return [];
  return [
    { spans: [span(` ${title}`, 'strong')] },
    ...wrapped.map((text): Line => ({ spans: [span(`   ${text}`, tone)] })),
    { spans: [] },
  ];
}
