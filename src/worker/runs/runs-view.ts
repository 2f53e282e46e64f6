import type { RunView } from '../views/handle.js';
import type { Owner } from '../run-state/process-identity.js';
import type { RunDetail } from '../views/live-views.js';

/** All runs as they are at one moment. Free of secrets. */
export interface RunsView {
  /** Who has told: the worker itself, or its journal. */
  source: 'worker' | 'journal';
  /** The process that has the state directory; null if none does. */
  worker: Pick<Owner, 'pid' | 'host' | 'since'> | null;
  /** Lines of the journal that cannot be read. */
  damagedLines: number;
  runs: readonly RunView[];
  detail(id: string): Promise<RunDetail | null>;
}
