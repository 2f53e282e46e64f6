import { layoutScreen, minSize } from '../state/layout.js';
import { clip, spansWidth } from '../terminal/line-layout.js';
import { isTable, type ConsoleState } from '../state/state.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { footerLine, longMessageLines, messageLine } from './footer.js';
import { healthLine, ageLine, titleLine, warningLines } from './header.js';
import { helpLines } from './help.js';
import { logLines } from './log.js';
import { questionLines } from './question.js';
import { pageLines } from './pages/page.js';
import { detailLines, summaryLines, tableLines } from './table.js';

/** A frame from top to bottom, with the box of a question in between. It is always lower than the terminal. */
export interface ScreenView {
  above: readonly Line[];
  box: readonly Line[] | null;
  below: readonly Line[];
}

export function viewScreen(state: ConsoleState, theme: Theme): ScreenView {
  const { above, box, below } = compose(state, theme);
  const { columns } = state.size;
  // one place for all lines: no untrusted name extends beyond the edge
  const clipTo = (lines: readonly Line[], width: number): readonly Line[] =>
    lines.map((line) =>
      spansWidth(line.spans) <= width ? line : { ...line, spans: clip(line.spans, width, theme) },
    );
  return {
    above: clipTo(above, columns),
    box: box === null ? null : clipTo(box, columns - 4),
    below: clipTo(below, columns),
  };
}

function compose(state: ConsoleState, theme: Theme): ScreenView {
  const { size, overlay, place } = state;
  if (size.columns < minSize.columns || size.rows < minSize.rows) return tooSmall(state);
  const layout = layoutScreen(state);
  const header = [
    titleLine(state, theme),
    healthLine(state, theme),
    ageLine(state, theme),
    ...warningLines(state, theme).slice(0, layout.warnings),
  ];
  if (overlay.kind === 'help') {
    const help = helpLines(state).slice(overlay.top, overlay.top + layout.help);
    return {
      above: [...header, ...padTo(help, layout.help)],
      box: null,
      below: [messageLine(state, theme), footerLine(state)],
    };
  }
  if (!isTable(place)) {
    const page = markHit(state, pageLines(state, theme), theme).slice(place.top, place.top + layout.page);
    return {
      above: [...header, ...padTo(page, layout.page)],
      box: questionLines(state, theme),
      below: [messageLine(state, theme), footerLine(state)],
    };
  }
  // a long answer replaces the details of the selected row
  const foot = longMessageLines(state, layout.details + 1, theme) ?? [
    ...detailLines(state, layout.details, theme),
    messageLine(state, theme),
  ];
  return {
    above: [
      ...header,
      ...padTo(summaryLines(state, layout.summary - 1, theme), layout.summary),
      ...padTo(tableLines(state, layout.table, theme), layout.heading + layout.table),
    ],
    box: questionLines(state, theme),
    below: [...logLines(state, layout.log, theme), ...foot, footerLine(state)],
  };
}

/** Puts a mark in front of the search hit. */
function markHit({ pageSearch }: ConsoleState, lines: readonly Line[], { glyphs }: Theme): readonly Line[] {
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

function padTo(lines: readonly Line[], height: number): Line[] {
  return Array.from({ length: height }, (_, index) => lines[index] ?? { spans: [] });
}

function tooSmall({ size }: ConsoleState): ScreenView {
  const text = `The console needs ${minSize.columns} x ${minSize.rows}; this terminal has ${size.columns} x ${size.rows}.`;
  return {
    above: [{ spans: [span(text, 'warning')] }],
    box: null,
    below: [],
  };
}
