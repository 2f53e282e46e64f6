import { cellWidth } from '../../src/console/terminal/text.js';
import type { Line, Theme } from '../../src/console/terminal/theme.js';
import { chooseTheme } from '../../src/console/terminal/theme.js';
import type { ConsoleState } from '../../src/console/state/state.js';
import { viewScreen } from '../../src/console/views/screen.js';

const textOf = ({ spans }: Line): string => spans.map(({ text }) => text).join('');

/** The rows of a frame as text, with `│` in front of the pane and a blank line for each border of a box. */
export function screenLines(state: ConsoleState, theme: Theme = chooseTheme({})): string[] {
  const { header, main, side, box, below } = viewScreen(state, theme);
  const width = state.size.columns - (side?.width ?? 0);
  const body = main.map((line, row) => {
    const left = textOf(line);
    if (side === null) return left;
    return `${left}${' '.repeat(Math.max(0, width - cellWidth(left)))}│${textOf(side.lines[row] ?? { spans: [] })}`;
  });
  const inBox = box === null ? [] : ['', ...box.map(textOf), ''];
  return [...header.map(textOf), ...body, ...inBox, ...below.map(textOf)];
}
