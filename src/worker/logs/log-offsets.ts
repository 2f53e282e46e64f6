import type { LogMark, LogMarks } from '../../girder/jobs/log-buffer.js';
import type { StreamOffsets } from '../run-state/run.js';

const logSource = 'log';

/** Mark for the job's log, up to this byte offset. */
export const logOffset = (at: number): LogMark => ({ source: logSource, at });

/** Mark for a stream, up to this byte offset. */
export const streamOffset = (stream: number, at: number): LogMark => ({ source: String(stream), at });

/** Offsets of marks, as journaled; `log` is null if none concerns the log itself. */
export function offsetsOf(marks: LogMarks): { log: number | null; streams: StreamOffsets } {
  const { [logSource]: log = null, ...streams } = marks;
  return { log, streams };
}
