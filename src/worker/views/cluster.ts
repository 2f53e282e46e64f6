import type { Clock } from '../../base/clock.js';
import type { Executor } from '../executor/executor.js';
import type { ClusterView } from './live-views.js';
import { createPolledWatch, type Watch } from './watch.js';

/** Nodes and partitions, polled at the tracker's interval. */
export function watchCluster(executor: Executor, everyMs: number, clock: Clock): Watch<ClusterView> {
  return createPolledWatch<ClusterView>({
    first: { nodes: [], partitions: [], at: null, problem: null },
    async ask(last) {
      const answer = await executor.cluster();
      if (answer.kind === 'silence') return { ...last, problem: answer.why };
      const { nodes, partitions, unparsable } = answer;
      const problem = unparsable === 0 ? null : `${unparsable} lines of sinfo's output could not be parsed`;
      return { nodes, partitions, at: clock.now(), problem };
    },
    everyMs,
    clock,
  });
}
