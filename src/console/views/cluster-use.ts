import { countGpus, isUnavailable } from './tables/node-facts.js';
import type { ConsoleState } from '../state/state.js';
import { span, type Span, type Theme } from '../terminal/theme.js';
import { formatCount } from './format.js';

const barWidth = 6;

/** A narrower terminal has no room for it. */
export const clusterUseColumns = 120;

/** CPUs and GPUs of the cluster in use, as small bars; empty while nodes are unknown. */
export function clusterUse({ size, liveViews: { cluster } }: ConsoleState, theme: Theme): Span[] {
  if (size.columns < clusterUseColumns || cluster === undefined || cluster.at === null) return [];
  const usable = cluster.nodes.filter(({ state }) => !isUnavailable(state));
  const sum = (of: (node: (typeof usable)[number]) => number): number =>
    usable.reduce((total, node) => total + of(node), 0);
  return [
    ...useSpans(
      'cpus',
      sum(({ cpus }) => cpus.allocated),
      sum(({ cpus }) => cpus.total),
      theme,
    ),
    ...useSpans(
      'gpus',
      sum(({ gresUsed }) => countGpus(gresUsed)),
      sum(({ gres }) => countGpus(gres)),
      theme,
    ),
  ];
}

function useSpans(label: string, used: number, total: number, { glyphs }: Theme): Span[] {
  if (total === 0) return [];
  const done = Math.min(barWidth, Math.ceil((used / total) * barWidth));
  return [
    span(`   ${label} `, 'muted'),
    span(glyphs.barDone.repeat(done), used >= total ? 'warning' : 'good'),
    span(glyphs.barLeft.repeat(barWidth - done), 'muted'),
    span(` ${formatCount(used)}/${formatCount(total)}`, 'muted'),
  ];
}
