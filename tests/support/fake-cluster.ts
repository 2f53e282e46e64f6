import type { NodeRow, PartitionRow } from '../../src/slurm/commands/sinfo.js';
import type { ClusterView } from '../../src/worker/views/live-views.js';

/** An idle node; a test sets only the fields that it is about. */
export function fakeNode(parts: Partial<NodeRow> & { name: string }): NodeRow {
  return {
    state: 'idle',
    partitions: ['cpu'],
    cpus: { allocated: 0, idle: 8, other: 0, total: 8 },
    memory: { total: 16_000, allocated: 0, free: 15_000 },
    gres: '',
    gresUsed: '',
    load: 0.5,
    reason: '',
    reasonBy: '',
    reasonAt: null,
    ...parts,
  };
}

export function fakePartition(parts: Partial<PartitionRow> & { name: string }): PartitionRow {
  return {
    isDefault: false,
    available: 'up',
    timeLimit: 3_600,
    nodes: 1,
    cpus: { allocated: 0, idle: 8, other: 0, total: 8 },
    states: { idle: 1 },
    ...parts,
  };
}

/** Three nodes in two partitions; one is drained, one down. */
export function fakeCluster(parts: Partial<ClusterView> = {}): ClusterView {
  return {
    nodes: [
      fakeNode({
        name: 'n1',
        state: 'mixed',
        partitions: ['cpu', 'gpu'],
        cpus: { allocated: 2, idle: 6, other: 0, total: 8 },
        memory: { total: 16_384, allocated: 4_096, free: 9_000 },
        gres: 'gpu:a100:2(S:0-1)',
        gresUsed: 'gpu:a100:1(IDX:0)',
        load: 2.25,
      }),
      fakeNode({
        name: 'n2',
        state: 'idle+drain',
        cpus: { allocated: 0, idle: 0, other: 8, total: 8 },
        reason: 'new disk',
        reasonBy: 'root',
        reasonAt: 1_000,
      }),
      fakeNode({
        name: 'n3',
        state: 'down*',
        cpus: { allocated: 0, idle: 0, other: 8, total: 8 },
        load: null,
        reason: 'Not responding',
      }),
    ],
    partitions: [
      fakePartition({
        name: 'cpu',
        isDefault: true,
        nodes: 3,
        cpus: { allocated: 2, idle: 6, other: 16, total: 24 },
        states: { mixed: 1, 'idle+drain': 1, 'down*': 1 },
      }),
      fakePartition({ name: 'gpu', available: 'down', states: { mixed: 1 } }),
    ],
    at: 0,
    problem: null,
    ...parts,
  };
}
