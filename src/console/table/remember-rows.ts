import type { Line } from '../terminal/theme.js';
import type { Item, Table } from './table.js';

/** More than any screen has. */
const limit = 512;

/**
 * Most rows of a frame are those of the frame before: a row is given as it was drawn last where all that its look depends
 * on is the same. The line is then the same object, which tells the painter that there is nothing to write.
 */
export function rememberRows(draw: Table['row']): Table['row'] {
  const known = new Map<Item, { basis: readonly unknown[]; line: Line }>();
  return (item, marks, look, context) => {
    const { now, age, theme } = context;
    const basis = [
      now,
      age.at,
      age.trouble,
      theme,
      look.width,
      look.wide,
      look.chosen,
      ...Object.values(marks),
    ];
    const before = known.get(item);
    if (before !== undefined && basis.every((one, index) => one === before.basis[index])) return before.line;
    if (known.size >= limit) known.clear();
    const line = draw(item, marks, look, context);
    known.set(item, { basis, line });
    return line;
  };
}
