import type { NodeRow, PartitionRow } from '../../slurm/commands/sinfo.js';
import type { Batch } from '../../worker/batches/summary.js';
import type { RunView } from '../../worker/views/handle.js';
import type { HistoryRow, ImageDetail, ImageRow } from '../../worker/views/live-views.js';
import type { DoctorCheck, DoctorResult } from './doctor-state.js';
import type { Row } from './rows.js';

export interface NodeItem {
  /** The node's name. */
  id: string;
  node: NodeRow;
}

/** Runs that somebody most likely started together. */
export interface BatchItem {
  /** Id of the first run. */
  id: string;
  batch: Batch;
}

export interface PartitionItem {
  /** The partition's name. */
  id: string;
  partition: PartitionRow;
  nodes: readonly NodeRow[];
}

/** A finished run with the duration of each stage. */
export type HistoryItem = Row & { times: HistoryRow };

/** An image file with its metadata (null: not read yet) and the known runs that used it, newest first. */
export interface ImageItem {
  /** File name in `dirs.images`. */
  id: string;
  image: ImageRow;
  detail: ImageDetail | null;
  runs: readonly RunView[];
}

/** A doctor check with its latest result. */
export interface CheckItem {
  id: string;
  check: DoctorCheck;
  found: { result: DoctorResult; at: number } | null;
  /** The check is running or queued. */
  pending: boolean;
}

/** The row type of each table. */
export interface TableRows {
  jobs: Row;
  batches: BatchItem;
  nodes: NodeItem;
  partitions: PartitionItem;
  history: HistoryItem;
  images: ImageItem;
  doctor: CheckItem;
}
