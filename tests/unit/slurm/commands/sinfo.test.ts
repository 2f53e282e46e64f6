import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseSinfo, queryCluster } from '../../../../src/slurm/commands/sinfo.js';
import { fakeRun, printed, squeueLine, unreachable, type Call } from '../fake-run.js';

/** As sinfo 22.05 printed it for a node with a GPU in two partitions, and one that was drained. */
const rows = [
  {
    NodeList: 'n3',
    StateComplete: 'mixed',
    CPUsState: '1/7/0/8',
    Memory: '16000',
    AllocMem: '500',
    FreeMem: '22492',
    Gres: 'gpu:2',
    GresUsed: 'gpu:1',
    CPUsLoad: '2.52',
    Partition: 'pathology*',
    Available: 'up',
    Time: '1-00:00:00',
    Timestamp: 'Unknown',
    User: 'Unknown',
    Reason: 'none',
  },
  {
    NodeList: 'n2',
    StateComplete: 'idle+drain',
    CPUsState: '0/0/8/8',
    Memory: '16000',
    AllocMem: '0',
    FreeMem: 'N/A',
    Gres: '(null)',
    GresUsed: 'gpu:0',
    CPUsLoad: 'N/A',
    Partition: 'pathology*',
    Available: 'up',
    Time: '1-00:00:00',
    Timestamp: '1795658974',
    User: 'root',
    Reason: 'odd | reason:\nsecond line é',
  },
];

function answer(call: Call): ReturnType<typeof printed> {
  const long = { ...rows[0], Partition: 'long', Time: 'infinite' };
  return printed([...rows, long].map((row) => squeueLine(call, row as Record<string, string>)).join(''));
}

describe('queryCluster', () => {
  test('reads nodes and partitions with one call', async () => {
    const { run, calls } = fakeRun(answer);
    const found = await queryCluster(run);
    expect(calls).toHaveLength(1);
    if (found.kind !== 'answer') throw new Error(found.why);
    expect(found.unparsable).toBe(0);
    expect(found.nodes).toEqual([
      {
        name: 'n3',
        state: 'mixed',
        partitions: ['pathology', 'long'],
        cpus: { allocated: 1, idle: 7, other: 0, total: 8 },
        memory: { total: 16_000, allocated: 500, free: 22_492 },
        gres: 'gpu:2',
        gresUsed: 'gpu:1',
        load: 2.52,
        reason: '',
        reasonBy: '',
        reasonAt: null,
      },
      {
        name: 'n2',
        state: 'idle+drain',
        partitions: ['pathology'],
        cpus: { allocated: 0, idle: 0, other: 8, total: 8 },
        memory: { total: 16_000, allocated: 0, free: null },
        gres: '',
        gresUsed: 'gpu:0',
        load: null,
        reason: 'odd | reason:\nsecond line é',
        reasonBy: 'root',
        reasonAt: 1_795_658_974_000,
      },
    ]);
    expect(found.partitions).toMatchObject([
      {
        name: 'pathology',
        isDefault: true,
        timeLimit: 86_400,
        nodes: 2,
        cpus: { allocated: 1, idle: 7, other: 8, total: 16 },
        states: { mixed: 1, 'idle+drain': 1 },
      },
      { name: 'long', isDefault: false, timeLimit: null, nodes: 1 },
    ]);
  });

  test('reports a failure as silence, not as an empty cluster', async () => {
    const { run } = fakeRun(() => unreachable);
    expect(await queryCluster(run)).toMatchObject({ kind: 'silence' });
  });
});

test('counts records that it cannot parse, for any output', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 40 }), (parts) => {
      const { nodes, unparsable } = parseSinfo(parts.join('|'), { field: '|', record: '#' });
      expect(nodes.length + unparsable).toBeGreaterThanOrEqual(0);
      for (const node of nodes) expect(node.name).not.toBe('');
    }),
  );
});
