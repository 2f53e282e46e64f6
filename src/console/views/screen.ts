import { layoutScreen, smallest } from '../state/layout.js';
import { clip, spansWidth } from '../terminal/line-layout.js';
import { isTable, type ConsoleState } from '../state/state.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { footerLine, longMessageLines, messageLine } from './footer.js';
import { healthLine, slurmLine, titleLine, troubleLines } from './header.js';
import { helpLines } from './help.js';
import { logLines } from './log.js';
import { questionLines } from './question.js';
import { pageLines } from './page.js';
import { detailLines, summaryLines, tableLines } from './table.js';

/** A frame: lines from top to bottom, and the box of a question between them. Never as high as the terminal. */
export interface ScreenView {
  above: readonly Line[];
  box: readonly Line[] | null;
  below: readonly Line[];
}

/** What a state looks like. */
export function viewScreen(state: ConsoleState, theme: Theme): ScreenView {
  const { above, box, below } = composed(state, theme);
  const { columns } = state.size;
  // In one place and for every line: nothing that somebody named reaches beyond the edge.
  const cutTo = (lines: readonly Line[], width: number): readonly Line[] =>
    lines.map((line) =>
      spansWidth(line.spans) <= width ? line : { ...line, spans: clip(line.spans, width, theme) },
    );
  return {
    above: cutTo(above, columns),
    box: box === null ? null : cutTo(box, columns - 4),
    below: cutTo(below, columns),
  };
}

function composed(state: ConsoleState, theme: Theme): ScreenView {
  const { size, overlay, place } = state;
  if (size.columns < smallest.columns || size.rows < smallest.rows) return tooSmall(state);
  const layout = layoutScreen(state);
  const head = [
    titleLine(state, theme),
    healthLine(state, theme),
    slurmLine(state, theme),
    ...troubleLines(state, theme).slice(0, layout.troubles),
  ];
  if (overlay.kind === 'help') {
    const help = helpLines(state).slice(overlay.top, overlay.top + layout.help);
    return {
      above: [...head, ...filled(help, layout.help)],
      box: null,
      below: [messageLine(state, theme), footerLine(state)],
    };
  }
  if (!isTable(place)) {
    const page = markedHit(state, pageLines(state, theme), theme).slice(place.top, place.top + layout.page);
    return {
      above: [...head, ...filled(page, layout.page)],
      box: questionLines(state, theme),
      below: [messageLine(state, theme), footerLine(state)],
    };
  }
  // What a command said matters more than the row that it was said about.
  const foot = longMessageLines(state, layout.details + 1, theme) ?? [
    ...detailLines(state, layout.details, theme),
    messageLine(state, theme),
  ];
  return {
    above: [
      ...head,
      ...filled(summaryLines(state, layout.summary - 1, theme), layout.summary),
      ...filled(tableLines(state, layout.table, theme), layout.heading + layout.table),
    ],
    box: questionLines(state, theme),
    below: [...logLines(state, layout.log, theme), ...foot, footerLine(state)],
  };
}

/** The line that a search has found begins with a mark. */
function markedHit({ pageSearch }: ConsoleState, lines: readonly Line[], { glyphs }: Theme): readonly Line[] {
  const hit = pageSearch?.hit ?? null;
  if (hit === null) return lines;
  return lines.map((line, index) => {
    const [first, ...rest] = line.spans;
    if (index !== hit || first === undefined) return line;
    return {
      ...line,
      spans: [span(glyphs.selected, 'accent'), { ...first, text: first.text.slice(1) }, ...rest],
    };
  });
}

function filled(lines: readonly Line[], height: number): Line[] {
  return Array.from({ length: height }, (_, index) => lines[index] ?? { spans: [] });
}

function tooSmall({ size }: ConsoleState): ScreenView {
  const text = `The console needs ${smallest.columns} x ${smallest.rows}; this terminal has ${size.columns} x ${size.rows}.`;
  return {
    above: [{ spans: [span(text, 'warning')] }],
    box: null,
    below: [],
  };
}
