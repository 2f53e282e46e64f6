import { completions, matchingCommands } from '../commands/command-line.js';
import { commandsIn } from '../commands/command-table.js';
import { formatCount } from './format.js';
import { layoutScreen } from '../state/layout.js';
import { spansWidth, justify } from '../terminal/line-layout.js';
import { contextOf, isTable, tableOf, type ConsoleState, type Message } from '../state/state.js';
import { keyLabel } from '../terminal/keys.js';
import { cleanText, wrapWords } from '../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../terminal/theme.js';
import { helpLines } from './help.js';
import { pageLines } from './pages/page.js';
import { currentView } from './tables/all-tables.js';

/** The text being typed or the latest message, and the position of the cursor. */
export function messageLine(state: ConsoleState, theme: Theme): Line {
  const { message, overlay, size } = state;
  const right = [span(positionText(state), 'muted')];
  if (overlay.kind === 'filter') {
    const { query } = tableOf(state);
    return justify(
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
    return justify([...typed, span(theme.glyphs.cursor, 'accent')], right, size.columns, theme);
  }
  if (overlay.kind === 'help' && (overlay.typing || overlay.query !== '')) {
    const typed = [span(' search the help /', 'accent'), span(cleanText(overlay.query))];
    const cursor = overlay.typing ? [span(theme.glyphs.cursor, 'accent')] : [];
    return justify([...typed, ...cursor], right, size.columns, theme);
  }
  if (overlay.kind === 'command') return commandLine(overlay.text, state, theme);
  if (message === null) return justify([], right, size.columns, theme);
  return justify([span(` ${messageText(message, theme)}`, message.tone)], right, size.columns, theme);
}

/** The command being typed, with completions. */
function commandLine(text: string, state: ConsoleState, theme: Theme): Line {
  const { columnIds } = currentView(state).table;
  // the palette lists the commands
  const isCommand = !/\s/u.test(text.trimStart());
  const isUnknown = isCommand && matchingCommands(text, state.readOnly).length === 0;
  const candidates = isCommand
    ? ''
    : completions(text, { readOnly: state.readOnly, columnIds }).slice(0, 8).join('  ');
  return justify(
    [
      span(' :', 'accent'),
      span(cleanText(text)),
      span(theme.glyphs.cursor, 'accent'),
      isUnknown ? span('  no such command', 'warning') : span(`  ${candidates}`, 'muted'),
    ],
    [],
    state.size.columns,
    theme,
  );
}

function positionText(state: ConsoleState): string {
  const { overlay, place } = state;
  if (overlay.kind === 'help')
    return linePosition(overlay.top, helpLines(state).length, layoutScreen(state).help);
  if (!isTable(place)) return linePosition(place.top, pageLines(state).length, layoutScreen(state).page);
  const table = tableOf(state);
  const marked = table.marked.size === 0 ? '' : `${formatCount(table.marked.size)} marked, `;
  return marked + rowPosition(table.shown.length, table.rows.length, table.position.index);
}

function messageText({ tone, text }: Message, { glyphs }: Theme): string {
  const symbol = { good: glyphs.succeeded, warning: glyphs.warning, bad: glyphs.failed }[tone];
  return `${symbol} ${cleanText(text)}`;
}

/** A long message on exactly `height` lines; null if one line is enough. */
export function longMessageLines(state: ConsoleState, height: number, theme: Theme): Line[] | null {
  const { message, overlay, size } = state;
  if (message === null || overlay.kind !== 'none' || height < 2) return null;
  const lines = wrapWords(messageText(message, theme), size.columns - 2);
  if (lines.length < 2) return null;
  return Array.from({ length: height }, (_, index) => ({
    spans: [span(` ${lines[index] ?? ''}`, message.tone)],
  }));
}

function linePosition(top: number, all: number, page: number): string {
  return all <= page ? '' : `lines ${top + 1} to ${Math.min(all, top + page)} of ${all}`;
}

function rowPosition(shown: number, all: number, index: number): string {
  if (shown === 0) return '';
  const of = `${formatCount(index + 1)} of ${formatCount(shown)}`;
  return shown === all ? of : `${of}, ${formatCount(all - shown)} hidden`;
}

/** Key hints for the present context. Hints that do not fit are left to the help. */
export function footerLine(state: ConsoleState): Line {
  const hints = commandsIn(contextOf(state), state.readOnly).flatMap(({ keys, hint, pinned }) => {
    const word = hint?.(state) ?? null;
    if (word === null) return [];
    const spans = [span(` ${keyLabel(keys[0] ?? '')} `, 'accent'), span(`${word}  `, 'muted')];
    return [{ pinned, spans }];
  });
  const pinned = hints.filter((one) => one.pinned).flatMap((one) => one.spans);
  const spans: Span[] = [];
  for (const hint of hints) {
    if (hint.pinned) continue;
    if (spansWidth([...spans, ...hint.spans, ...pinned]) > state.size.columns) break;
    spans.push(...hint.spans);
  }
  return { spans: [...spans, ...pinned] };
}
