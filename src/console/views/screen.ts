import { besidePane, layoutScreen, minSize } from '../state/layout.js';
import { clip, spansWidth } from '../terminal/line-layout.js';
import { isTable, type ConsoleState } from '../state/state.js';
import { wrapWords } from '../terminal/text.js';
import { span, type Line, type Theme } from '../terminal/theme.js';
import { footerLine, longMessageLines, messageLine } from './footer.js';
import { statusLine, tabsLine, titleLine, warningLines } from './header.js';
import { helpLines } from './help.js';
import { logLines } from './log.js';
import { paletteLines } from './palette.js';
import { paneLines } from './pane.js';
import { questionLines } from './question.js';
import { pageLines } from './pages/page.js';
import { detailLines, summaryLines, tableLines } from './table.js';

/** A frame: from top to bottom, with a pane beside the view and the box of a question below it. It is always lower than the terminal. */
export interface ScreenView {
  header: readonly Line[];
  main: readonly Line[];
  /** @property width including its border */
  side: { width: number; lines: readonly Line[] } | null;
  box: readonly Line[] | null;
  below: readonly Line[];
}

export function viewScreen(state: ConsoleState, theme: Theme): ScreenView {
  const { header, main: view, side, box, below } = compose(state, theme);
  const palette = paletteLines(state, view.length, theme);
  const main = palette.length === 0 ? view : [...view.slice(0, view.length - palette.length), ...palette];
  const { columns } = state.size;
  // one place for all lines: no untrusted name extends beyond the edge
  const clipTo = (lines: readonly Line[], width: number): readonly Line[] =>
    lines.map((line) => {
      const used = spansWidth(line.spans);
      if (used > width) return { ...line, spans: clip(line.spans, width, theme) };
      // the bar of the selected row extends to the edge
      return line.selected === true && used < width
        ? { ...line, spans: [...line.spans, span(' '.repeat(width - used))] }
        : line;
    });
  return {
    header: clipTo(header, columns),
    main: clipTo(main, columns - (side?.width ?? 0)),
    side: side === null ? null : { ...side, lines: clipTo(side.lines, side.width - 1) },
    box: box === null ? null : clipTo(box, columns - 4),
    below: clipTo(below, columns),
  };
}

function compose(state: ConsoleState, theme: Theme): ScreenView {
  const { size, overlay, place } = state;
  if (size.columns < minSize.columns || size.rows < minSize.rows) return tooSmall(state);
  const layout = layoutScreen(state);
  const header = [
    tabsLine(state, theme),
    titleLine(state, theme),
    statusLine(state, theme),
    ...warningLines(state, theme).slice(0, layout.warnings),
  ];
  if (overlay.kind === 'help') {
    const help = helpLines(state).slice(overlay.top, overlay.top + layout.help);
    return {
      header,
      main: padTo(help, layout.help),
      side: null,
      box: null,
      below: [messageLine(state, theme), footerLine(state)],
    };
  }
  if (!isTable(place)) {
    const page = markHit(state, pageLines(state, theme), theme).slice(place.top, place.top + layout.page);
    return {
      header,
      main: padTo(page, layout.page),
      side: null,
      box: questionLines(state, theme),
      below: [messageLine(state, theme), footerLine(state)],
    };
  }
  // a long answer replaces the details of the selected row
  const foot = longMessageLines(state, layout.details + 1, theme) ?? [
    ...detailLines(state, layout.details, theme),
    messageLine(state, theme),
  ];
  const left = besidePane(state);
  const main = [
    ...padTo(summaryLines(left, layout.summary - 1, theme), layout.summary),
    ...padTo(tableLines(left, layout.table, theme), layout.heading + layout.table),
  ];
  return {
    header,
    main,
    side:
      layout.side === 0
        ? null
        : {
            width: layout.side,
            lines: padTo(
              paneLines(state, { columns: layout.side - 1, rows: main.length }, theme),
              main.length,
            ),
          },
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
    header: wrapWords(text, size.columns).map((line) => ({ spans: [span(line, 'warning')] })),
    main: [],
    side: null,
    box: null,
    below: [],
  };
}
