import { cellWidth, cleanText, fit, fitMiddle } from '../terminal/text.js';
import { span, type Span, type Theme, type Tone } from '../terminal/theme.js';

/** Time of the last successful update (null: none yet), and why the latest attempt failed. */
export interface DataAge {
  at: number | null;
  problem: string | null;
  /** When the worker itself was lost, which is the source of everything; absent while it is connected. */
  lostAt?: number;
}

export interface ValueContext {
  /** Milliseconds since the epoch. */
  now: number;
  age: DataAge;
}

export interface CellContext extends ValueContext {
  theme: Theme;
}

/** What a cell may depend on. */
interface RowContext extends CellContext {
  /** Ids of the columns on the screen. */
  shown: ReadonlySet<string>;
}

export interface Column<R> {
  id: string;
  title: string;
  /** Minimum width in cells. */
  min: number;
  /** Width at which most values fit. */
  comfortable: number;
  /** Share of the remaining width. */
  grow: number;
  /** Columns with a high number are dropped first. */
  priority: number;
  /** A column with this number gets all the room that its texts need before the others; the lowest number first. */
  fillPriority?: number;
  align: 'left' | 'right';
  /** Shift and this letter sort by the column. */
  sortKey?: string;
  /** The value for filter, sort and export; null if there is none. */
  value(row: R, context: ValueContext): string | number | null;
  /** Id of the column to the left that has nothing to show for this row: this one takes its room, too. Null: none. */
  takesRoomOf?(row: R): string | null;
  /** The complete text of a cell, to measure it; absent: every cell fits into the comfortable width. */
  text?(row: R, context: ValueContext): string;
  /** Spans of exactly `width` cells in total. */
  cell(row: R, width: number, context: RowContext): Span[];
}

type ColumnShape = Pick<Column<never>, 'id' | 'title' | 'min' | 'comfortable' | 'priority'> &
  Partial<Pick<Column<never>, 'grow' | 'align' | 'sortKey' | 'fillPriority'>>;

/**
 * A column of text.
 * @param shownAs formats the value for display
 * @param cut where to cut a long text
 */
export function textColumn<R>(
  shape: ColumnShape,
  value: Column<R>['value'],
  {
    tone = 'plain',
    shownAs = String,
    cut = 'end',
    takesRoomOf,
  }: {
    tone?: Tone | ((row: R) => Tone);
    shownAs?: (value: string | number) => string;
    cut?: 'end' | 'middle';
    takesRoomOf?: (row: R) => string | null;
  } = {},
): Column<R> {
  const align = shape.align ?? 'left';
  const textOf = (row: R, context: ValueContext): string => {
    const raw = value(row, context);
    return raw === null ? '' : cleanText(shownAs(raw));
  };
  return {
    grow: 0,
    ...shape,
    ...(takesRoomOf === undefined ? {} : { takesRoomOf }),
    align,
    value,
    text: textOf,
    cell(row, width, context) {
      const text = textOf(row, context);
      const { ellipsis } = context.theme.glyphs;
      const fitted = cut === 'middle' ? fitMiddle(text, width, ellipsis) : fit(text, width, align, ellipsis);
      return [span(fitted, typeof tone === 'function' ? tone(row) : tone)];
    },
  };
}

interface PlacedColumn<R> {
  column: Column<R>;
  width: number;
}

export interface TableLayout<R> {
  placed: readonly PlacedColumn<R>[];
  /** Blank cells between columns. */
  gap: number;
  /** Ids of the placed columns. */
  shown: ReadonlySet<string>;
}

/** Ids of the columns that the operator chose, in order; null: all columns that fit. */
export type ChosenColumns = readonly string[] | null;

/** The chosen columns, or all of them. */
export function visibleColumns<R>(
  columns: readonly Column<R>[],
  chosen: ChosenColumns,
): readonly Column<R>[] {
  const found = (chosen ?? []).flatMap((id) => columns.filter((one) => one.id === id));
  return found.length > 0 ? found : columns;
}

/** The widest text that each column has shown, by its id. It only grows, so that the table does not jump. */
export type SeenWidths = Readonly<Record<string, number>>;

/**
 * Decides which columns fit into `width` cells and how wide they are. Which ones does not depend on the content. A column does
 * not get more room than its texts need while another one is cut. Columns are added by priority: the important ones, and all columns of a wide
 * table, while their minimum fits, the others while all columns have their comfortable width.
 * @param squeezablePriority columns up to this priority shrink to their minimum before one is dropped
 */
export function layoutColumns<R>(
  columns: readonly Column<R>[],
  width: number,
  { squeezablePriority, wide, seen = {} }: { squeezablePriority: number; wide: boolean; seen?: SeenWidths },
): TableLayout<R> {
  const gap = width >= 110 && !wide ? 2 : 1;
  const byPriority = [...columns].sort((a, b) => a.priority - b.priority);
  const chosen: Column<R>[] = [];
  for (const column of byPriority) {
    const measure = wide || column.priority <= squeezablePriority ? 'min' : 'comfortable';
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
  // first what the texts need, then the comfortable widths, then the rest in proportion to `grow`
  const byFill = [...columns].sort((a, b) => (a.fillPriority ?? a.priority) - (b.fillPriority ?? b.priority));
  const widen = (widest: (column: Column<R>) => number): void => {
    for (const column of byFill) {
      const one = placed.find((other) => other.column === column);
      if (one === undefined || rest <= 0) continue;
      const more = Math.min(rest, Math.max(0, widest(column) - one.width));
      one.width += more;
      rest -= more;
    }
  };
  const needed = ({ id, comfortable }: Column<R>): number => seen[id] ?? comfortable;
  widen((column) => (column.fillPriority === undefined ? 0 : needed(column)));
  widen((column) => Math.min(needed(column), column.comfortable));
  widen(needed);
  widen(({ comfortable }) => comfortable);
  distribute(placed, Math.max(0, rest));
  return { placed, gap, shown: new Set(placed.map(({ column }) => column.id)) };
}

function total(widths: readonly number[], gap: number): number {
  return widths.reduce((sum, one) => sum + one, 0) + gap * (widths.length - 1);
}

/** Distributes `rest` cells in proportion to `grow`; the remainder of rounding goes to the column that grows most. */
function distribute<R>(placed: PlacedColumn<R>[], rest: number): void {
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

/** The heading of a column in exactly its width, with an arrow if the table is sorted by it. */
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
