import { isExamining, type DoctorCheck, type DoctorResult } from '../state/doctor-state.js';
import { age, clockText, count, took } from './format.js';
import type { ConsoleState } from '../state/state.js';
import { textColumn, type Column } from '../table/column.js';
import { defineTable } from '../table/table.js';
import { cleanText, fit, wrapWords } from '../terminal/text.js';
import { span, type Glyphs, type Line, type Span, type Theme, type Tone } from '../terminal/theme.js';
import { factLines } from './facts.js';
import type { TableView } from './table-view.js';

/** A check with what came of it last. */
export interface CheckItem {
  id: string;
  check: DoctorCheck;
  found: { result: DoctorResult; at: number } | null;
  /** Its answer is to come. */
  asked: boolean;
}

type Word = DoctorResult['status'] | 'asked' | 'unknown';

const looks: Readonly<Record<Word, { glyph: keyof Glyphs; word: string; tone: Tone }>> = {
  ok: { glyph: 'succeeded', word: 'ok', tone: 'good' },
  warn: { glyph: 'warning', word: 'warn', tone: 'warning' },
  fail: { glyph: 'failed', word: 'FAIL', tone: 'bad' },
  skip: { glyph: 'canceled', word: 'skip', tone: 'muted' },
  asked: { glyph: 'working', word: 'asked', tone: 'busy' },
  unknown: { glyph: 'unknown', word: 'unknown', tone: 'muted' },
};

const wordOf = ({ found, asked }: CheckItem): Word => (asked ? 'asked' : (found?.result.status ?? 'unknown'));

const columns: readonly Column<CheckItem>[] = [
  {
    id: 'status',
    title: 'STATUS',
    min: 9,
    comfort: 9,
    grow: 0,
    priority: 1,
    align: 'left',
    sortKey: 'A',
    value: wordOf,
    cell(item, width, { theme: { glyphs } }) {
      const { glyph, word, tone } = looks[wordOf(item)];
      return [span(fit(`${glyphs[glyph]} ${word}`, width, 'left', glyphs.ellipsis), tone)];
    },
  },
  textColumn(
    { id: 'group', title: 'GROUP', min: 11, comfort: 13, priority: 3, sortKey: 'P' },
    ({ check }) => check.group,
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'check', title: 'CHECK', min: 20, comfort: 34, grow: 1, priority: 2, sortKey: 'N' },
    ({ check }) => check.title,
  ),
  textColumn({ id: 'id', title: 'ID', min: 14, comfort: 26, priority: 7 }, ({ id }) => id, {
    tone: 'muted',
  }),
  textColumn(
    { id: 'took', title: 'TOOK', min: 7, comfort: 7, priority: 6, align: 'right', sortKey: 'T' },
    ({ found }) => (found === null || found.result.status === 'skip' ? null : found.result.ms / 1_000),
    { tone: 'muted', shownAs: (seconds) => `${Number(seconds).toFixed(1)} s` },
  ),
  textColumn(
    { id: 'age', title: 'AGE', min: 7, comfort: 7, priority: 5, align: 'right' },
    ({ found }, { now }) => (found === null ? null : (now - found.at) / 1_000),
    { tone: 'muted', shownAs: (seconds) => age(Number(seconds) * 1_000) },
  ),
  textColumn(
    { id: 'evidence', title: 'EVIDENCE', min: 16, comfort: 30, grow: 4, priority: 4 },
    ({ found }) => found?.result.evidence.join('; ') ?? null,
    {
      tone: (item) =>
        wordOf(item) === 'fail' || wordOf(item) === 'warn' ? looks[wordOf(item)].tone : 'muted',
    },
  ),
];

export const doctorView: TableView = {
  table: defineTable<CheckItem>({
    columns,
    squeezable: 4,
    texts: ({ found }) => [found?.result.fix],
    isError: ({ found }) => found?.result.status === 'fail' || found?.result.status === 'warn',
  }),
  noun: 'doctor',
  needs: [],
  rows: ({ doctor: { checks, results, asked } }) =>
    checks.map((check): CheckItem => ({
      id: check.id,
      check,
      found: results.get(check.id) ?? null,
      asked: asked.has(check.id),
    })),
  age: ({ doctor: { begunAt, endedAt, trouble } }) => ({ at: endedAt ?? begunAt, trouble }),
  progress,
  nothing: ({ doctor }) =>
    isExamining(doctor) ? 'The doctor is on its way.' : 'What is wrong is not known: no check was run.',
  about(item) {
    const { check, found } = item as CheckItem;
    return [check.title, found?.result.fix ?? found?.result.evidence.join('; '), check.id];
  },
  opens: () => ({ kind: 'page' }),
  page: (item, state, theme) => checkPage(item as CheckItem, state, theme),
  sums,
  copies: (item) => (item as CheckItem).found?.result.fix ?? item.id,
};

/** While checks are on their way: how many have answered. */
function progress({ doctor, now }: ConsoleState, { glyphs }: Theme): Span | null {
  if (!isExamining(doctor)) return null;
  const { asked, checks, begunAt } = doctor;
  if (checks.length === 0) return span(` ${glyphs.working} doctor: on its way`, 'busy');
  return span(
    ` ${glyphs.working} doctor: ${count(checks.length - asked.size)} of ${count(checks.length)} answered, ${age(now - (begunAt ?? now))}`,
    'busy',
  );
}

function sums({ tables }: ConsoleState, { glyphs }: Theme): Span[] {
  const items = tables.doctor.rows as readonly CheckItem[];
  return (['ok', 'warn', 'fail', 'skip'] as const).flatMap((status, index) => {
    const number = items.filter(({ found }) => found?.result.status === status).length;
    const { glyph, tone } = looks[status];
    const word = { ok: 'ok', warn: 'warned', fail: 'failed', skip: 'skipped' }[status];
    const text = `${index === 0 ? '' : '   '}${glyphs[glyph]} ${count(number)} ${word}`;
    return [span(text, number === 0 ? 'muted' : tone)];
  });
}

function checkPage(item: CheckItem, { size, now }: ConsoleState, { glyphs }: Theme): Line[] {
  const { check, found } = item;
  const { glyph, word, tone } = looks[wordOf(item)];
  const { columns: width } = size;
  const head: Line = {
    spans: [span(` ${glyphs[glyph]} ${word}`, tone), span(`  ${cleanText(check.title)}`, 'strong')],
  };
  if (found === null) return [head];
  const { result, at } = found;
  return [
    head,
    { spans: [] },
    ...prose('Evidence', result.evidence, width, item.asked ? 'muted' : 'plain'),
    ...prose('What to do', result.fix?.split('\n') ?? [], width, 'strong'),
    ...factLines(
      'Check',
      [
        ['id', check.id],
        ['group', check.group],
        ['asked', `${clockText(at)}, ${age(now - at)} ago`],
        ['took', result.status === 'skip' ? null : took(result.ms)],
        ['described in', result.docs],
      ],
      width,
    ),
    { spans: [span(' r asks again, y copies what is to be done.', 'muted')] },
  ];
}

/** A heading and lines of text below it; nothing where there are none. */
function prose(title: string, lines: readonly string[], width: number, tone: Tone): Line[] {
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
