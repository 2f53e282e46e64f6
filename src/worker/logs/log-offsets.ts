import type { LogMark, LogMarks } from '../../girder/jobs/log-buffer.js';
import type { StreamOffsets } from '../run-state/run.js';

const logSource = 'log';

/** The log of the job up to here, in bytes. */
export const logOffset = (at: number): LogMark => ({ source: logSource, at });

/** A stream up to here, in bytes. */
export const streamOffset = (stream: number, at: number): LogMark => ({ source: String(stream), at });

/** What marks say, as it is journaled: null where nothing of the log itself is among them. */
export function offsetsOf(marks: LogMarks): { log: number | null; streams: StreamOffsets } {
  const { [logSource]: log = null, ...streams } = marks;
  return { log, streams };
}
