import type { LogTail, WorkerSnapshot } from '../worker/handle.js';
import type { Context } from './keys.js';
import type { Row } from './rows.js';
import type { ListPosition } from './window.js';

/** The terminal, in cells. */
export interface Size {
  columns: number;
  rows: number;
}

/** What `x` would end, as it was when it was asked. */
export interface CancelTarget {
  row: Row;
  command: { kind: 'run'; runId: string } | { kind: 'job'; jobId: string };
}

/** What lies over the table and takes the keys. */
export type Overlay =
  | { kind: 'none' }
  | { kind: 'filter' }
  | { kind: 'help'; top: number }
  | { kind: 'cancel'; target: CancelTarget }
  | { kind: 'quit' };

/** An answer in the message line. An error stays until a key is pressed, anything else until its time is over. */
export interface Message {
  tone: 'good' | 'warning' | 'bad';
  text: string;
  /** Milliseconds since the epoch; null: stays until a key. */
  until: number | null;
}

/** The open log pane. It shows the log of the selected row. */
export interface LogPane {
  rowId: string | null;
  /** Null: the selected row is a job of which we follow no log. */
  runId: string | null;
  /** Null until the first lines came. */
  tail: LogTail | null;
  /**
   * Where the view ends: the number of the line after the last one shown, counted from the very first line that was ever
   * in the tail, so that it means the same line while lines are added and dropped. Null: the end is followed.
   */
  end: number | null;
  focused: boolean;
}

/** Everything that a frame is made of. */
export interface ConsoleState {
  title: string | null;
  readOnly: boolean;
  size: Size;
  now: number;
  snapshot: WorkerSnapshot;
  /** All rows in order, and those that the filter lets through. */
  rows: readonly Row[];
  shown: readonly Row[];
  filter: string;
  position: ListPosition;
  overlay: Overlay;
  log: LogPane | null;
  wrap: boolean;
  message: Message | null;
}

/** What has the keyboard. */
export function contextOf({ overlay, log }: ConsoleState): Context {
  if (overlay.kind !== 'none') return overlay.kind;
  return log?.focused === true ? 'log' : 'table';
}

export function selectedRow({ shown, position }: ConsoleState): Row | null {
  return shown[position.index] ?? null;
}
