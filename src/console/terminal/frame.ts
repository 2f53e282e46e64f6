import { spansWidth } from './line-layout.js';
import { span, type Line, type Theme } from './theme.js';
import type { ScreenView } from '../views/screen.js';

/** All lines of a frame from top to bottom, with a border around the box. */
export function screenLines(
  { above, box, below }: ScreenView,
  columns: number,
  theme: Theme,
): readonly Line[] {
  return [...above, ...(box === null ? [] : withBorder(box, columns, theme)), ...below];
}

/** @param lines at most `columns - 4` cells wide */
function withBorder(lines: readonly Line[], columns: number, { border }: Theme): Line[] {
  const [topLeft, topRight, bottomLeft, bottomRight] = border.corners;
  const edge = (left: string, right: string): Line => ({
    spans: [span(left + border.horizontal.repeat(columns - 2) + right, 'warning')],
  });
  return [
    edge(topLeft, topRight),
    ...lines.map(({ spans }) => ({
      spans: [
        span(`${border.vertical} `, 'warning'),
        ...spans,
        span(' '.repeat(Math.max(0, columns - 4 - spansWidth(spans)))),
        span(` ${border.vertical}`, 'warning'),
      ],
    })),
    edge(bottomLeft, bottomRight),
  ];
}
