import { completions } from '../commands/command-line.js';
import { count } from './format.js';
import { bindingsFor, keyLabel, type Command } from '../commands/keys.js';
import { layoutScreen } from '../state/layout.js';
import { spansWidth, spread } from '../terminal/line-layout.js';
import { contextOf, isTable, tableNameOf, tableOf, type ConsoleState, type Message } from '../state/state.js';
import { cleanText, wrapWords } from '../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../terminal/theme.js';
import { helpLines } from './help.js';
import { pageLines } from './page.js';
import { tableViews } from './tables.js';

/** What is being typed or was answered, and where the selection is. */
export function messageLine(state: ConsoleState, theme: Theme): Line {
  const { message, overlay, size } = state;
  const right = [span(placeOf(state), 'muted')];
  if (overlay.kind === 'filter') {
    const { query } = tableOf(state);
    return spread(
      [
        span(' /', 'accent'),
        span(cleanText(query.text)),
        span(theme.glyphs.cursor, 'accent'),
        ...(query.problem === null ? [] : [span(`  ${cleanText(query.problem)}`, 'warning')]),
      ],
      right,
      size.columns,
      theme,
    );
  }
  if (overlay.kind === 'search') {
    const typed = [span(' search /', 'accent'), span(cleanText(overlay.text))];
    return spread([...typed, span(theme.glyphs.cursor, 'accent')], right, size.columns, theme);
  }
  if (overlay.kind === 'command') return commandLine(overlay.text, state, theme);
  if (message === null) return spread([], right, size.columns, theme);
  return spread([span(` ${messageText(message, theme)}`, message.tone)], right, size.columns, theme);
}

/** What is typed after `:`, and what it could become. */
function commandLine(text: string, state: ConsoleState, theme: Theme): Line {
  const { columnIds } = tableViews[tableNameOf(state)].table;
  const offers = completions(text, { readOnly: state.readOnly, columnIds }).slice(0, 8).join('  ');
  return spread(
    [
      span(' :', 'accent'),
      span(cleanText(text)),
      span(theme.glyphs.cursor, 'accent'),
      span(`  ${offers}`, 'muted'),
    ],
    [],
    state.size.columns,
    theme,
  );
}

function placeOf(state: ConsoleState): string {
  const { overlay, place } = state;
  if (overlay.kind === 'help')
    return linesPlace(overlay.top, helpLines(state).length, layoutScreen(state).help);
  if (!isTable(place)) return linesPlace(place.top, pageLines(state).length, layoutScreen(state).page);
  const table = tableOf(state);
  const marked = table.marked.size === 0 ? '' : `${count(table.marked.size)} marked, `;
  return marked + placeText(table.shown.length, table.rows.length, table.position.index);
}

function messageText({ tone, text }: Message, { glyphs }: Theme): string {
  const symbol = { good: glyphs.succeeded, warning: glyphs.warning, bad: glyphs.failed }[tone];
  return `${symbol} ${cleanText(text)}`;
}

/** A message that is too long for the message line, over exactly `height` lines; null where one line is enough. */
export function longMessageLines(state: ConsoleState, height: number, theme: Theme): Line[] | null {
  const { message, overlay, size } = state;
  if (message === null || overlay.kind !== 'none' || height < 2) return null;
  const lines = wrapWords(messageText(message, theme), size.columns - 2);
  if (lines.length < 2) return null;
  return Array.from({ length: height }, (_, index) => ({
    spans: [span(` ${lines[index] ?? ''}`, message.tone)],
  }));
}

function linesPlace(top: number, all: number, page: number): string {
  return all <= page ? '' : `lines ${top + 1} to ${Math.min(all, top + page)} of ${all}`;
}

function placeText(shown: number, all: number, index: number): string {
  if (shown === 0) return '';
  const of = `${count(index + 1)} of ${count(shown)}`;
  return shown === all ? of : `${of}, ${count(all - shown)} hidden`;
}

/** What is done to a run or job, and so is out of place where there is none. */
const aboutRow: ReadonlySet<Command> = new Set(['cancel', 'menu', 'refresh', 'pager', 'log']);

/** The keys of this moment, from the key table; those that do not fit are left to the help. */
export function footerLine(state: ConsoleState): Line {
  const hasRow = ['jobs', 'job'].includes(state.place.view);
  const bindings = bindingsFor(contextOf(state), state.readOnly).filter(
    ({ hint, command }) =>
      hint !== undefined && (command !== 'focus' || state.log !== null) && (hasRow || !aboutRow.has(command)),
  );
  // Help and quit are the way to everything else: they keep their place.
  const always = bindings.filter((one) => one.command === 'help' || one.command === 'quit');
  const others = bindings.filter((one) => !always.includes(one));
  const hint = (one: (typeof bindings)[number]): Span[] => [
    span(` ${keyLabel(one.keys[0] ?? '')} `, 'accent'),
    span(`${hintWord(one.hint ?? '', state)}  `, 'muted'),
  ];
  const last = always.flatMap(hint);
  const spans: Span[] = [];
  for (const one of others) {
    const next = hint(one);
    if (spansWidth(spans) + spansWidth(next) + spansWidth(last) > state.size.columns) break;
    spans.push(...next);
  }
  return { spans: [...spans, ...last] };
}

function hintWord(hint: string, { snapshot, log }: ConsoleState): string {
  if (hint === 'pause' && snapshot.health.intake === 'paused') return 'resume';
  if (hint === 'follow' && log?.end === null) return 'stop following';
  return hint;
}
