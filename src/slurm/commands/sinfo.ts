import { randomBytes } from 'node:crypto';

import { describeFailure, type CommandOptions, type RunCommand } from '../../base/command.js';
import { parseSlurmDuration, parseSlurmNumber, parseSlurmText, parseSlurmTime } from './values.js';

/** A node as sinfo reports it. Null: not known. */
export interface NodeRow {
  name: string;
  /** State with flags: `mixed`, `idle+drain`, `down*`. */
  state: string;
  partitions: readonly string[];
  cpus: { allocated: number; idle: number; other: number; total: number };
  /** MiB; `free` is what the node's operating system reports. */
  memory: { total: number | null; allocated: number | null; free: number | null };
  /** As Slurm prints it: `gpu:a100:2`; empty if there is none. */
  gres: string;
  gresUsed: string;
  load: number | null;
  /** Why it is down or drained, who set the reason and when; else empty and null. */
  reason: string;
  reasonBy: string;
  reasonAt: number | null;
}

/** A partition, with the totals of its nodes. */
export interface PartitionRow {
  name: string;
  isDefault: boolean;
  /** `up`, `down`, `drain`, `inact`. */
  available: string;
  /** Seconds; null for no limit. */
  timeLimit: number | null;
  nodes: number;
  cpus: NodeRow['cpus'];
  /** Number of nodes, by state. */
  states: Readonly<Record<string, number>>;
}

export type ClusterAnswer =
  | { kind: 'answer'; nodes: NodeRow[]; partitions: PartitionRow[]; unparsable: number }
  | { kind: 'silence'; why: string };

/** The reason is free text, so it comes last. */
const fields = [
  'NodeList',
  'StateComplete',
  'CPUsState',
  'Memory',
  'AllocMem',
  'FreeMem',
  'Gres',
  'GresUsed',
  'CPUsLoad',
  'Partition',
  'Available',
  'Time',
  'Timestamp',
  'User',
  'Reason',
] as const;

/** Queries all nodes and partitions at once. Never throws: a failure is `silence`. */
export async function queryCluster(run: RunCommand, options: CommandOptions = {}): Promise<ClusterAnswer> {
  // an administrator's reason may contain any character, so each query has random separators, as in squeue.ts
  const nonce = randomBytes(6).toString('hex');
  const [field, record] = [`\u001F${nonce}`, `\u001E${nonce}`];
  const format = fields.map((name, index) => `${name}:${index === fields.length - 1 ? record : field}`);
  const result = await run('sinfo', ['--all', '--Node', '--noheader', `--Format=${format.join(',')}`], {
    ...options,
    env: { ...options.env, SLURM_TIME_FORMAT: '%s' },
  });
  if (result.kind !== 'exited' || result.exitCode !== 0) {
    return { kind: 'silence', why: `sinfo ${describeFailure(result)}` };
  }
  return { kind: 'answer', ...parseSinfo(result.stdout, { field, record }) };
}

/** Parses sinfo's output: one record for each node in each of its partitions. */
export function parseSinfo(
  stdout: string,
  { field, record }: { field: string; record: string },
): { nodes: NodeRow[]; partitions: PartitionRow[]; unparsable: number } {
  const records = stdout.split(record);
  let unparsable = (records.pop() ?? '').trim() === '' ? 0 : 1;
  const nodes = new Map<string, NodeRow>();
  const partitions = new Map<string, PartitionRow>();
  for (const text of records) {
    const values = text.split(field);
    const value = (name: (typeof fields)[number]): string => values[fields.indexOf(name)] ?? '';
    const name = value('NodeList').split('\n').at(-1)?.trim() ?? '';
    const cpus = readCpus(value('CPUsState'));
    if (values.length !== fields.length || name === '' || cpus === null) {
      unparsable += 1;
      continue;
    }
    const node = nodes.get(name) ?? readNode(name, cpus, value);
    const partition = value('Partition').trim();
    const bare = partition.replace(/\*$/, '');
    nodes.set(name, bare === '' ? node : { ...node, partitions: [...node.partitions, bare] });
    if (bare === '') continue;
    const known = partitions.get(bare) ?? {
      name: bare,
      isDefault: partition.endsWith('*'),
      available: value('Available').trim(),
      timeLimit: parseSlurmDuration(value('Time')),
      nodes: 0,
      cpus: { allocated: 0, idle: 0, other: 0, total: 0 },
      states: {},
    };
    partitions.set(bare, {
      ...known,
      nodes: known.nodes + 1,
      cpus: {
        allocated: known.cpus.allocated + cpus.allocated,
        idle: known.cpus.idle + cpus.idle,
        other: known.cpus.other + cpus.other,
        total: known.cpus.total + cpus.total,
      },
      states: { ...known.states, [node.state]: (known.states[node.state] ?? 0) + 1 },
    });
  }
  // sinfo's order of a node's partitions varies
  const sorted = [...partitions.values()].sort(
    (a, b) => Number(b.isDefault) - Number(a.isDefault) || a.name.localeCompare(b.name),
  );
  return { nodes: [...nodes.values()], partitions: sorted, unparsable };
}

function readNode(
  name: string,
  cpus: NodeRow['cpus'],
  value: (name: (typeof fields)[number]) => string,
): NodeRow {
  return {
    name,
    state: value('StateComplete').trim(),
    partitions: [],
    cpus,
    memory: {
      total: parseSlurmNumber(value('Memory')),
      allocated: parseSlurmNumber(value('AllocMem')),
      free: parseSlurmNumber(value('FreeMem')),
    },
    gres: parseSlurmText(value('Gres')),
    gresUsed: parseSlurmText(value('GresUsed')),
    load: /^\d+(\.\d+)?$/.test(value('CPUsLoad').trim()) ? Number(value('CPUsLoad')) : null,
    reason: parseSlurmText(value('Reason')),
    reasonBy: value('User').trim() === 'Unknown' ? '' : parseSlurmText(value('User')),
    reasonAt: parseSlurmTime(value('Timestamp')),
  };
}

/** `4/4/0/8`: allocated, idle, other, total. */
function readCpus(text: string): NodeRow['cpus'] | null {
  const match = /^(\d{1,7})\/(\d{1,7})\/(\d{1,7})\/(\d{1,7})$/.exec(text.trim());
  if (match === null) return null;
  const [allocated = 0, idle = 0, other = 0, total = 0] = match.slice(1).map(Number);
  return { allocated, idle, other, total };
}
