import { formatCount } from '../format.js';
import { formatAge } from '../../../base/text/duration.js';
import type { NodeRow, PartitionRow } from '../../../slurm/commands/sinfo.js';
import type { PartitionItem } from '../../state/table-rows.js';
import { freeMemory, countGpus, isUnavailable, formatMebibytes, nodeStatus } from './node-facts.js';
import { textColumn, type Column } from '../../table/column.js';
import { defineTable } from '../../table/table.js';
import { cleanText, fit } from '../../terminal/text.js';
import { span } from '../../terminal/theme.js';
import { clusterAge, clusterTotals, emptyClusterReason } from './nodes.js';
import type { TableView } from './table-view.js';

const usable = ({ nodes }: PartitionItem): readonly NodeRow[] =>
  nodes.filter(({ state }) => !isUnavailable(state));
const isUp = ({ partition }: PartitionItem): boolean => partition.available === 'up';

/** Available nodes; none if the partition itself is not up. */
const nodesUp = (item: PartitionItem): number => (isUp(item) ? usable(item).length : 0);

const columns: readonly Column<PartitionItem>[] = [
  {
    id: 'available',
    title: 'STATE',
    min: 8,
    comfortable: 8,
    grow: 0,
    priority: 2,
    align: 'left',
    sortKey: 'A',
    value: ({ partition }) => partition.available,
    cell(item, width, { theme: { glyphs } }) {
      const { available } = item.partition;
      const [sign, tone] = !isUp(item)
        ? ([glyphs.failed, 'bad'] as const)
        : nodesUp(item) === 0
          ? ([glyphs.warning, 'warning'] as const)
          : ([glyphs.running, 'good'] as const);
      return [span(fit(`${sign} ${cleanText(available)}`, width, 'left', glyphs.ellipsis), tone)];
    },
  },
  textColumn(
    { id: 'partition', title: 'PARTITION', min: 10, comfortable: 16, grow: 1, priority: 1, sortKey: 'P' },
    ({ id }) => id,
  ),
  textColumn(
    { id: 'default', title: 'DEFAULT', min: 7, comfortable: 7, priority: 8 },
    ({ partition }) => (partition.isDefault ? 'default' : ''),
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'limit', title: 'LIMIT', min: 7, comfortable: 7, priority: 6, align: 'right', sortKey: 'L' },
    ({ partition }) => partition.timeLimit,
    { shownAs: (seconds) => formatAge(Number(seconds) * 1_000) },
  ),
  textColumn(
    { id: 'nodes', title: 'NODES UP', min: 7, comfortable: 8, priority: 3, align: 'right', sortKey: 'N' },
    nodesUp,
  ),
  {
    id: 'cpus',
    title: 'CPUS FREE',
    min: 9,
    comfortable: 9,
    grow: 0,
    priority: 4,
    align: 'right',
    sortKey: 'C',
    value: ({ partition }) => partition.cpus.idle,
    cell({ partition: { cpus } }, width, { theme: { glyphs } }) {
      return [
        span(fit(`${formatCount(cpus.idle)}/${formatCount(cpus.total)}`, width, 'right', glyphs.ellipsis)),
      ];
    },
  },
  textColumn(
    {
      id: 'memory',
      title: 'MEMORY FREE',
      min: 7,
      comfortable: 11,
      priority: 7,
      align: 'right',
      sortKey: 'M',
    },
    (item) => usable(item).reduce((sum, node) => sum + (freeMemory(node) ?? 0), 0),
    { shownAs: (mebibytes) => formatMebibytes(Number(mebibytes)) },
  ),
  {
    id: 'gpus',
    title: 'GPUS FREE',
    min: 5,
    comfortable: 9,
    grow: 0,
    priority: 9,
    align: 'right',
    sortKey: 'U',
    value: (item) => (gpus(item) === 0 ? null : freeGpus(item)),
    cell(item, width, { theme: { glyphs } }) {
      const text = gpus(item) === 0 ? '' : `${freeGpus(item)}/${gpus(item)}`;
      return [span(fit(text, width, 'right', glyphs.ellipsis))];
    },
  },
  {
    id: 'states',
    title: 'STATES OF ITS NODES',
    min: 16,
    comfortable: 30,
    grow: 3,
    priority: 5,
    align: 'left',
    value: (item) => statesText(item.partition),
    cell(item, width, { theme: { glyphs } }) {
      const worst = Object.keys(item.partition.states).find((state) => isUnavailable(state));
      const tone = worst === undefined ? 'plain' : nodeStatus(worst).tone;
      return [span(fit(cleanText(statesText(item.partition)), width, 'left', glyphs.ellipsis), tone)];
    },
  },
];

function gpus({ nodes }: PartitionItem): number {
  return nodes.reduce((sum, { gres }) => sum + countGpus(gres), 0);
}

function freeGpus(item: PartitionItem): number {
  return usable(item).reduce(
    (sum, { gres, gresUsed }) => sum + Math.max(0, countGpus(gres) - countGpus(gresUsed)),
    0,
  );
}

/** `3 idle, 1 mixed, 1 down*` */
function statesText({ states }: PartitionRow): string {
  return Object.entries(states)
    .map(([state, number]) => `${number} ${state}`)
    .join(', ');
}

export const partitionsView: TableView<PartitionItem> = {
  table: defineTable<PartitionItem>({
    columns,
    squeezablePriority: 6,
    searchTexts: () => [],
    isError: (item) => !isUp(item) || usable(item).length < item.nodes.length,
  }),
  label: 'partitions',
  liveViews: ['cluster'],
  rows: ({ liveViews: { cluster } }) =>
    (cluster?.partitions ?? []).map((partition) => ({
      id: partition.name,
      partition,
      nodes: (cluster?.nodes ?? []).filter(({ partitions }) => partitions.includes(partition.name)),
    })),
  age: clusterAge,
  emptyReason: (state) => emptyClusterReason('partitions', state),
  details: ({ partition }) => [
    `${partition.name}${partition.isDefault ? ' (default)' : ''}`,
    partition.available,
    `${partition.nodes} nodes: ${statesText(partition)}`,
    'Enter lists them',
  ],
  openTarget: ({ id }) => ({ kind: 'table', table: 'nodes', query: `partitions=${quoted(id)}` }),
  totals: ({ liveViews: { cluster } }, theme) => clusterTotals(cluster, theme),
  copyText: ({ id }) => id,
};

function quoted(name: string): string {
  return /\s/u.test(name) ? `"${name}"` : name;
}
