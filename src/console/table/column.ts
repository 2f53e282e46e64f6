import { cellWidth, cleanText, fit, fitMiddle } from '../terminal/text.js';
import { span, type Span, type Theme, type Tone } from '../terminal/theme.js';

/** How old data are: when the last good answer came (null: none yet), and why the last question failed. */
export interface DataAge {
  at: number | null;
  trouble: string | null;
}

/** What a value may depend on besides its row. */
export interface ValueContext {
  /** Milliseconds since the epoch. */
  now: number;
  age: DataAge;
}

/** What a cell may look at. */
export interface CellContext extends ValueContext {
  theme: Theme;
}

export interface Column<R> {
  id: string;
  title: string;
  /** Cells below which it is dropped rather than squeezed. */
  min: number;
  /** Cells at which it says enough. */
  comfort: number;
  /** Share of the room that is left over. */
  grow: number;
  /** 1 goes last. */
  priority: number;
  align: 'left' | 'right';
  /** Shift with this letter sorts by the column. */
  sortKey?: string;
  /** What filter, sort and export see: a number where it is one, null where there is nothing. */
  value(row: R, context: ValueContext): string | number | null;
  /** Exactly `width` cells. */
  cell(row: R, width: number, context: CellContext): Span[];
}

type Shape = Pick<Column<never>, 'id' | 'title' | 'min' | 'comfort' | 'priority'> &
  Partial<Pick<Column<never>, 'grow' | 'align' | 'sortKey'>>;

/**
 * A column of plain text.
 * @param shownAs how a value is written, where its plain form is not it
 * @param cut where a text that is too long is cut
 */
export function textColumn<R>(
  shape: Shape,
  value: Column<R>['value'],
  {
    tone = 'plain',
    shownAs = String,
    cut = 'end',
  }: {
    tone?: Tone | ((row: R) => Tone);
    shownAs?: (value: string | number) => string;
    cut?: 'end' | 'middle';
  } = {},
): Column<R> {
  const align = shape.align ?? 'left';
  return {
    grow: 0,
    ...shape,
    align,
    value,
    cell(row, width, context) {
      const held = value(row, context);
      const text = held === null ? '' : cleanText(shownAs(held));
      const { ellipsis } = context.theme.glyphs;
      const fitted = cut === 'middle' ? fitMiddle(text, width, ellipsis) : fit(text, width, align, ellipsis);
      return [span(fitted, typeof tone === 'function' ? tone(row) : tone)];
    },
  };
}

export interface PlacedColumn<R> {
  column: Column<R>;
  width: number;
}

export interface TableLayout<R> {
  placed: readonly PlacedColumn<R>[];
  /** Blank cells between two columns. */
  gap: number;
}

/** Which columns the operator chose by name, in order; null: the table's own choice. */
export type ChosenColumns = readonly string[] | null;

/** The columns that may be shown, in the order in which they are. */
export function candidates<R>(columns: readonly Column<R>[], chosen: ChosenColumns): readonly Column<R>[] {
  const found = (chosen ?? []).flatMap((id) => columns.filter((one) => one.id === id));
  return found.length > 0 ? found : columns;
}

/**
 * Which of the candidates a table of `width` cells shows, and how wide. It depends on the width alone, so nothing jumps
 * while the content changes. Columns come in by priority: the ones that a narrow terminal shows as long as their minimum
 * fits, the others once everything before them has its comfort; in a wide table all as long as their minimum fits.
 * @param squeezable priority up to which columns are squeezed to their minimum before one is dropped
 */
export function layoutColumns<R>(
  columns: readonly Column<R>[],
  width: number,
  { squeezable, wide }: { squeezable: number; wide: boolean },
): TableLayout<R> {
  const gap = width >= 110 && !wide ? 2 : 1;
  const byPriority = [...columns].sort((a, b) => a.priority - b.priority);
  const chosen: Column<R>[] = [];
  for (const column of byPriority) {
    const measure = wide || column.priority <= squeezable ? 'min' : 'comfort';
    const next = [...chosen, column].map((one) => one[measure]);
    if (chosen.length > 0 && total(next, gap) > width) break;
    chosen.push(column);
  }
  const placed = columns
    .filter((one) => chosen.includes(one))
    .map((column) => ({ column, width: column.min }));
  const used = total(
    placed.map((one) => one.width),
    gap,
  );
  let rest = width - used;
  // What is needed first: comfort by priority; then the rest is shared out.
  for (const column of byPriority) {
    const one = placed.find((other) => other.column === column);
    if (one === undefined || rest <= 0) continue;
    const more = Math.min(rest, one.column.comfort - one.width);
    one.width += more;
    rest -= more;
  }
  share(placed, Math.max(0, rest));
  return { placed, gap };
}

function total(widths: readonly number[], gap: number): number {
  return widths.reduce((sum, one) => sum + one, 0) + gap * (widths.length - 1);
}

/** Shares `rest` cells out by what each column may grow; what rounding leaves over goes to the one that grows most. */
function share<R>(placed: PlacedColumn<R>[], rest: number): void {
  const weights = placed.reduce((sum, { column }) => sum + column.grow, 0);
  let left = rest;
  for (const one of placed) {
    if (one.column.grow === 0) continue;
    const part = Math.floor((rest * one.column.grow) / weights);
    one.width += part;
    left -= part;
  }
  const growing = placed.filter(({ column }) => column.grow > 0);
  const most = growing.sort((a, b) => b.column.grow - a.column.grow)[0];
  if (most !== undefined) most.width += left;
}

/** The heading of a column, in exactly its width, with an arrow where the table is sorted by it. */
export function headingCell<R>(
  { column, width }: PlacedColumn<R>,
  sorted: 'up' | 'down' | null,
  theme: Theme,
): Span {
  const arrow = sorted === null ? '' : theme.glyphs[sorted];
  const whole = `${column.title}${arrow}`;
  const text = cellWidth(whole) <= width ? whole : `${column.title.split(' ')[0] ?? ''}${arrow}`;
  return span(fit(text, width, column.align, theme.glyphs.ellipsis), sorted === null ? 'muted' : 'accent');
}
