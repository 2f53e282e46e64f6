import type { NodeRow } from '../../slurm/commands/sinfo.js';
import type { ClusterView } from '../../worker/views/live-views.js';
import { age, clockText, count } from './format.js';
import { freeMemory, gpusOf, isOnNode, isOut, memoryText, nodeStatus } from './node-facts.js';
import type { Row } from '../state/rows.js';
import { allRows, type ConsoleState } from '../state/state.js';
import { rowStatus } from './row-status.js';
import { textColumn, type Column } from '../table/column.js';
import { defineTable } from '../table/table.js';
import { cleanText, fit } from '../terminal/text.js';
import { span, type Line, type Span, type Theme } from '../terminal/theme.js';
import { factLines } from './facts.js';
import { rowTitle } from './jobs.js';
import type { TableView } from './table-view.js';

/** A node, by its name. */
export interface NodeItem {
  id: string;
  node: NodeRow;
}

const gpus = ({ node }: NodeItem): number => gpusOf(node.gres);
const freeGpus = (item: NodeItem): number => Math.max(0, gpus(item) - gpusOf(item.node.gresUsed));

/** What a node that is out has free is of no use to anybody. */
const toneOfFree = ({ node }: NodeItem): 'muted' | 'plain' => (isOut(node.state) ? 'muted' : 'plain');

const columns: readonly Column<NodeItem>[] = [
  {
    id: 'state',
    title: 'STATE',
    min: 12,
    comfort: 16,
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
  textColumn({ id: 'node', title: 'NODE', min: 8, comfort: 14, priority: 1, sortKey: 'N' }, ({ id }) => id),
  textColumn(
    { id: 'partitions', title: 'PARTITIONS', min: 10, comfort: 12, grow: 1, priority: 8, sortKey: 'P' },
    ({ node }) => node.partitions.join(','),
    { tone: 'muted' },
  ),
  textColumn(
    { id: 'load', title: 'LOAD', min: 6, comfort: 7, priority: 6, align: 'right', sortKey: 'L' },
    ({ node }) => node.load,
    { shownAs: (load) => Number(load).toFixed(2) },
  ),
  free({ id: 'cpus', title: 'CPUS FREE', min: 7, comfort: 9, priority: 3, sortKey: 'C' }, ({ node }) => ({
    free: node.cpus.idle,
    total: node.cpus.total,
  })),
  free(
    { id: 'memory', title: 'MEMORY FREE', min: 11, comfort: 13, priority: 4, sortKey: 'M' },
    ({ node }) => ({ free: freeMemory(node), total: node.memory.total }),
    memoryText,
  ),
  free({ id: 'gpus', title: 'GPUS FREE', min: 5, comfort: 9, priority: 5, sortKey: 'U' }, (item) => ({
    free: gpus(item) === 0 ? null : freeGpus(item),
    total: gpus(item),
  })),
  textColumn(
    { id: 'unused', title: 'OS FREE', min: 7, comfort: 8, priority: 9, align: 'right' },
    ({ node }) => node.memory.free,
    { tone: 'muted', shownAs: (mebibytes) => memoryText(Number(mebibytes)) },
  ),
  textColumn({ id: 'gres', title: 'GRES', min: 8, comfort: 16, priority: 10 }, ({ node }) => node.gres, {
    tone: 'muted',
  }),
  textColumn(
    { id: 'reason', title: 'REASON', min: 10, comfort: 20, grow: 2, priority: 7, sortKey: 'R' },
    ({ node }) => node.reason,
    { tone: ({ node }) => (isOut(node.state) ? nodeStatus(node.state).tone : 'muted') },
  ),
];

/** A column that says how much is free of how much: `6/8`. Filter and sort see what is free. */
function free(
  shape: Pick<Column<NodeItem>, 'id' | 'title' | 'min' | 'comfort' | 'priority'> & { sortKey: string },
  amount: (item: NodeItem) => { free: number | null; total: number | null },
  text: (value: number) => string = String,
): Column<NodeItem> {
  return {
    ...shape,
    grow: 0,
    align: 'right',
    value: (item) => amount(item).free,
    cell(item, width, { theme: { glyphs } }) {
      const { free: left, total } = amount(item);
      const shown = left === null || total === null ? '' : `${text(left)}/${text(total)}`;
      return [span(fit(shown, width, 'right', glyphs.ellipsis), toneOfFree(item))];
    },
  };
}

export const nodesView: TableView = {
  table: defineTable<NodeItem>({
    columns,
    squeezable: 7,
    texts: ({ node }) => [node.gres, node.reasonBy],
    isError: ({ node }) => isOut(node.state),
  }),
  noun: 'nodes',
  needs: ['cluster'],
  rows: ({ watched: { cluster } }) => (cluster?.nodes ?? []).map((node) => ({ id: node.name, node })),
  age: clusterAge,
  nothing: (state) => nothingOf('nodes', state),
  about(item) {
    const { node } = item as NodeItem;
    return [node.name, node.state, node.partitions.join(', '), node.gres, whyOut(node)];
  },
  opens: () => ({ kind: 'page' }),
  page: (item, state, theme) => nodePage((item as NodeItem).node, state, theme),
  sums: ({ watched: { cluster } }, theme) => clusterSums(cluster, theme),
  copies: ({ id }) => id,
};

export function clusterAge({ watched: { cluster } }: ConsoleState): {
  at: number | null;
  trouble: string | null;
} {
  return cluster ?? { at: null, trouble: null };
}

export function nothingOf(noun: string, state: ConsoleState): string {
  if (state.snapshot.executor === 'local') return `Jobs run on this host, so there are no ${noun}.`;
  const { at, trouble } = clusterAge(state);
  if (at !== null) {
    return trouble === null ? `Slurm has no ${noun}.` : `Slurm had no ${noun} when it last answered.`;
  }
  return trouble === null
    ? `Slurm is being asked for its ${noun}.`
    : `What ${noun} there are is not known: Slurm has not answered so far.`;
}

/** Nodes, how many of them are out, and what is free. */
export function clusterSums(cluster: ClusterView | undefined, { glyphs }: Theme): Span[] {
  if (cluster === undefined || cluster.at === null) return [span('')];
  const { nodes } = cluster;
  const out = nodes.filter(({ state }) => isOut(state)).length;
  const sum = (of: (node: NodeRow) => number): number => nodes.reduce((total, node) => total + of(node), 0);
  const allGpus = sum(({ gres }) => gpusOf(gres));
  const usable = nodes.filter(({ state }) => !isOut(state));
  const freeOfGpus = usable.reduce(
    (total, { gres, gresUsed }) => total + Math.max(0, gpusOf(gres) - gpusOf(gresUsed)),
    0,
  );
  return [
    span(`${glyphs.warning} ${count(out)} down or drained`, out > 0 ? 'warning' : 'muted'),
    span(
      `   ${count(sum(({ cpus }) => cpus.idle))}/${count(sum(({ cpus }) => cpus.total))} cpus free`,
      'muted',
    ),
    span(allGpus === 0 ? '' : `   ${count(freeOfGpus)}/${count(allGpus)} gpus free`, 'muted'),
  ];
}

function whyOut({ reason, reasonBy, reasonAt }: NodeRow): string {
  if (reason === '') return '';
  const by = reasonBy === '' ? '' : `, said by ${reasonBy}`;
  return `${reason}${by}${reasonAt === null ? '' : ` on ${clockText(reasonAt)}`}`;
}

function amount(mebibytes: number | null): string | null {
  return mebibytes === null ? null : memoryText(mebibytes);
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
        ['said by', node.reasonBy],
        [
          'said on',
          node.reasonAt === null
            ? null
            : `${clockText(node.reasonAt)}, ${age(state.now - node.reasonAt)} ago`,
        ],
      ],
      width,
    ),
    ...factLines(
      'What it has',
      [
        ['load', node.load],
        [
          'cpus',
          `${cpus.idle} free, ${cpus.allocated} in use, ${cpus.other} not to be had, of ${cpus.total}`,
        ],
        ['memory', left === null ? null : `${amount(left)} not given to jobs, of ${amount(memory.total)}`],
        ['unused memory', memory.free === null ? null : `${amount(memory.free)}, as its system says`],
        ['gres', node.gres],
        ['gres in use', gpusOf(node.gresUsed) === 0 ? null : node.gresUsed],
      ],
      width,
    ),
    ...jobsOn(node.name, state, theme),
  ];
}

/** The jobs on a node, out of those that the table of runs and jobs knows. */
function jobsOn(name: string, state: ConsoleState, theme: Theme): Line[] {
  const here = allRows(state).filter(
    ({ job, group }: Row) => job !== null && group === 'running' && isOnNode(job.nodes, name),
  );
  if (here.length === 0) return [{ spans: [span(' None of the jobs of the table runs here.', 'muted')] }];
  return [
    { spans: [span(' Jobs of the table that run here', 'strong')] },
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
