import { formatAge } from '../../../base/text/duration.js';
import type { NodeRow } from '../../../slurm/commands/sinfo.js';
import type { ClusterView } from '../../../worker/views/live-views.js';
import { formatDateTime, formatCount } from '../format.js';
import { freeMemory, countGpus, isOnNode, isUnavailable, formatMebibytes, nodeStatus } from './node-facts.js';
import type { NodeItem } from '../../state/table-rows.js';
import type { ConsoleState } from '../../state/state.js';
import { rowStatus } from './row-status.js';
import { textColumn, type Column } from '../../table/column.js';
import { defineTable } from '../../table/table.js';
import { cleanText, fit } from '../../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../../terminal/theme.js';
import { factLines } from '../pages/facts.js';
import { rowTitle } from './jobs.js';
import type { TableView } from './table-view.js';

const gpus = ({ node }: NodeItem): number => countGpus(node.gres);
const freeGpus = (item: NodeItem): number => Math.max(0, gpus(item) - countGpus(item.node.gresUsed));

/** Free resources of an unavailable node cannot be used. */
const toneOfFree = ({ node }: NodeItem): 'muted' | 'plain' => (isUnavailable(node.state) ? 'muted' : 'plain');

const columns: readonly Column<NodeItem>[] = [
  {
    id: 'state',
    title: 'STATE',
    min: 12,
    comfortable: 16,
    grow: 0,
    priority: 2,
    align: 'left',
    sortKey: 'A',
    value: ({ node }) => node.state,
    cell({ node }, width, { theme: { glyphs } }) {
      const { glyph, tone } = nodeStatus(node.state);
      return [span(fit(`${glyphs[glyph]} ${cleanText(node.state)}`, width, 'left', glyphs.ellipsis), tone)];
    },
  },
  textColumn(
    { id: 'node', title: 'NODE', min: 8, comfortable: 14, priority: 1, sortKey: 'N' },
    ({ id }) => id,
  ),
  textColumn(
    { id: 'partitions', title: 'PARTITIONS', min: 10, comfortable: 12, grow: 1, priority: 8, sortKey: 'P' },
    ({ node }) => node.partitions.join(','),
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'load', title: 'LOAD', min: 6, comfortable: 7, priority: 6, align: 'right', sortKey: 'L' },
    ({ node }) => node.load,
    { shownAs: (load) => Number(load).toFixed(2) },
  ),
  freeColumn(
    { id: 'cpus', title: 'CPUS FREE', min: 7, comfortable: 9, priority: 3, sortKey: 'C' },
    ({ node }) => ({
      free: node.cpus.idle,
      total: node.cpus.total,
    }),
  ),
  freeColumn(
    { id: 'memory', title: 'MEMORY FREE', min: 11, comfortable: 13, priority: 4, sortKey: 'M' },
    ({ node }) => ({ free: freeMemory(node), total: node.memory.total }),
    formatMebibytes,
  ),
  freeColumn(
    { id: 'gpus', title: 'GPUS FREE', min: 5, comfortable: 9, priority: 5, sortKey: 'U' },
    (item) => ({
      free: gpus(item) === 0 ? null : freeGpus(item),
      total: gpus(item),
    }),
  ),
  textColumn(
    { id: 'unused', title: 'OS FREE', min: 7, comfortable: 8, priority: 9, align: 'right' },
    ({ node }) => node.memory.free,
    { tone: 'muted', shownAs: (mebibytes) => formatMebibytes(Number(mebibytes)) },
  ),
  textColumn({ id: 'gres', title: 'GRES', min: 8, comfortable: 16, priority: 10 }, ({ node }) => node.gres, {
    tone: 'muted',
  }),
  textColumn(
    { id: 'reason', title: 'REASON', min: 10, comfortable: 20, grow: 2, priority: 7, sortKey: 'R' },
    ({ node }) => node.reason,
    { tone: ({ node }) => (isUnavailable(node.state) ? nodeStatus(node.state).tone : 'muted') },
  ),
];

/** A column for free and total amounts: `6/8`. Filter and sort use the free amount. */
function freeColumn(
  shape: Pick<Column<NodeItem>, 'id' | 'title' | 'min' | 'comfortable' | 'priority'> & { sortKey: string },
  amount: (item: NodeItem) => { free: number | null; total: number | null },
  text: (value: number) => string = String,
): Column<NodeItem> {
  return {
    ...shape,
    grow: 0,
    align: 'right',
    value: (item) => amount(item).free,
    cell(item, width, { theme: { glyphs } }) {
      const { free, total } = amount(item);
      const shown = free === null || total === null ? '' : `${text(free)}/${text(total)}`;
      return [span(fit(shown, width, 'right', glyphs.ellipsis), toneOfFree(item))];
    },
  };
}

export const nodesView: TableView<NodeItem> = {
  table: defineTable<NodeItem>({
    columns,
    squeezablePriority: 7,
    searchTexts: ({ node }) => [node.gres, node.reasonBy],
    isError: ({ node }) => isUnavailable(node.state),
  }),
  label: 'nodes',
  liveViews: ['cluster'],
  rows: ({ liveViews: { cluster } }) => (cluster?.nodes ?? []).map((node) => ({ id: node.name, node })),
  age: clusterAge,
  emptyReason: (state) => emptyClusterReason('nodes', state),
  details: ({ node }) => [node.name, node.state, node.partitions.join(', '), node.gres, reasonText(node)],
  openTarget: () => ({ kind: 'page' }),
  page: ({ node }, state, theme) => nodePage(node, state, theme),
  totals: ({ liveViews: { cluster } }, theme) => clusterTotals(cluster, theme),
  copyText: ({ id }) => id,
};

export function clusterAge({ liveViews: { cluster } }: ConsoleState): {
  at: number | null;
  problem: string | null;
} {
  return cluster ?? { at: null, problem: null };
}

export function emptyClusterReason(noun: string, state: ConsoleState): string {
  if (state.snapshot.executor === 'local')
    return `Jobs run on this host without Slurm, so there are no ${noun}.`;
  const { at, problem } = clusterAge(state);
  if (at !== null) {
    return problem === null ? `Slurm has no ${noun}.` : `Slurm had no ${noun} when it last answered.`;
  }
  return problem === null
    ? `Loading ${noun} from Slurm.`
    : `No ${noun} are known, because Slurm has not answered yet.`;
}

/** Number of unavailable nodes, and free resources. */
export function clusterTotals(cluster: ClusterView | undefined, { glyphs }: Theme): Span[] {
  if (cluster === undefined || cluster.at === null) return [span('')];
  const { nodes } = cluster;
  const out = nodes.filter(({ state }) => isUnavailable(state)).length;
  const sum = (of: (node: NodeRow) => number): number => nodes.reduce((total, node) => total + of(node), 0);
  const allGpus = sum(({ gres }) => countGpus(gres));
  const usable = nodes.filter(({ state }) => !isUnavailable(state));
  const freeOfGpus = usable.reduce(
    (total, { gres, gresUsed }) => total + Math.max(0, countGpus(gres) - countGpus(gresUsed)),
    0,
  );
  return [
    out > 0
      ? span(`${glyphs.warning} ${formatCount(out)} down or drained`, 'warning')
      : span(`${glyphs.succeeded} none down or drained`, 'muted'),
    span(
      `   ${formatCount(sum(({ cpus }) => cpus.idle))}/${formatCount(sum(({ cpus }) => cpus.total))} cpus free`,
      'muted',
    ),
    span(allGpus === 0 ? '' : `   ${formatCount(freeOfGpus)}/${formatCount(allGpus)} gpus free`, 'muted'),
  ];
}

function reasonText({ reason, reasonBy, reasonAt }: NodeRow): string {
  if (reason === '') return '';
  const by = reasonBy === '' ? '' : `, set by ${reasonBy}`;
  return `${reason}${by}${reasonAt === null ? '' : ` on ${formatDateTime(reasonAt)}`}`;
}

function amount(mebibytes: number | null): string | null {
  return mebibytes === null ? null : formatMebibytes(mebibytes);
}

function nodePage(node: NodeRow, state: ConsoleState, theme: Theme): Line[] {
  const { columns: width } = state.size;
  const { glyph, tone } = nodeStatus(node.state);
  const { cpus, memory } = node;
  const left = freeMemory(node);
  return [
    { spans: [span(` ${theme.glyphs[glyph]} ${cleanText(node.state)}`, tone)] },
    { spans: [] },
    ...factLines(
      'Node',
      [
        ['name', node.name],
        ['partitions', node.partitions.join(', ')],
        ['reason', node.reason, tone === 'good' ? 'plain' : tone],
        ['set by', node.reasonBy],
        [
          'set on',
          node.reasonAt === null
            ? null
            : `${formatDateTime(node.reasonAt)}, ${formatAge(state.now - node.reasonAt)} ago`,
        ],
      ],
      width,
    ),
    ...factLines(
      'Resources',
      [
        ['load', node.load],
        ['cpus', `${cpus.idle} free, ${cpus.allocated} in use, ${cpus.other} unavailable, of ${cpus.total}`],
        ['memory', left === null ? null : `${amount(left)} not allocated, of ${amount(memory.total)}`],
        [
          'unused memory',
          memory.free === null ? null : `${amount(memory.free)}, reported by its operating system`,
        ],
        ['gres', node.gres],
        ['gres in use', countGpus(node.gresUsed) === 0 ? null : node.gresUsed],
      ],
      width,
    ),
    ...jobsOn(node.name, state, theme),
  ];
}

/** The jobs on a node, as far as the table of runs and jobs lists them. */
function jobsOn(name: string, state: ConsoleState, theme: Theme): Line[] {
  const here = state.tables.jobs.rows.filter(
    ({ job, group }) => job !== null && group === 'running' && isOnNode(job.nodes, name),
  );
  if (here.length === 0) {
    const node = state.liveViews.cluster?.nodes.find((one) => one.name === name);
    const hint =
      state.scope !== 'all' && (node?.cpus.allocated ?? 0) > 0
        ? ' Its CPUs are used by jobs that are not listed: press m in the jobs view.'
        : '';
    return [{ spans: [span(` No listed job runs here.${hint}`, 'muted')] }];
  }
  return [
    { spans: [span(' Jobs on this node', 'strong')] },
    ...here.map((row): Line => {
      const { glyph, word, tone } = rowStatus(row);
      const title = row.run?.title ?? null;
      return {
        spans: [
          span(`   ${theme.glyphs[glyph]} ${fit(cleanText(word), 11)} `, tone),
          span(fit(cleanText(row.job?.id ?? ''), 10)),
          span(rowTitle(row)),
          span(title === null ? '' : `  ${cleanText(title)}`, 'muted'),
        ],
      };
    }),
  ];
}
