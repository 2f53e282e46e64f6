import { spansWidth } from './line-layout.js';
import { span, type Line, type Theme } from './theme.js';
import type { ScreenView } from '../views/screen.js';

/** All lines of a frame from top to bottom, with the border around its box. */
export function screenLines(
  { above, box, below }: ScreenView,
  columns: number,
  theme: Theme,
): readonly Line[] {
  return [...above, ...(box === null ? [] : boxed(box, columns, theme)), ...below];
}

/** Lines of at most `columns - 4` cells in a box of `columns`. */
function boxed(lines: readonly Line[], columns: number, { border }: Theme): Line[] {
  const [topLeft, topRight, bottomLeft, bottomRight] = border.corners;
  const edge = (left: string, right: string): Line => ({
    spans: [span(left + border.across.repeat(columns - 2) + right, 'warning')],
  });
  return [
    edge(topLeft, topRight),
    ...lines.map(({ spans }) => ({
      spans: [
        span(`${border.upright} `, 'warning'),
        ...spans,
        span(' '.repeat(Math.max(0, columns - 4 - spansWidth(spans)))),
        span(` ${border.upright}`, 'warning'),
      ],
    })),
    edge(bottomLeft, bottomRight),
  ];
}
