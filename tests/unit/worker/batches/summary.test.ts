import { describe, expect, it } from 'vitest';

import type { FailureCause } from '../../../../src/worker/batches/failure-cause.js';
import { groupIntoBatches } from '../../../../src/worker/batches/group.js';
import { summarizeBatches } from '../../../../src/worker/batches/summary.js';
import { openBatchRun, someBatchRun } from './some-runs.js';

const minute = 60_000;
const gigabyte = 1024 ** 3;
const outOfMemory: FailureCause = {
  kind: 'memory',
  key: 'memory at 4G',
  text: 'out of memory at 4G',
  limit: 4 * gigabyte,
};
const usage = (memoryBytes: number) => ({
  wallMs: minute,
  cpuMs: minute,
  memoryBytes,
  cgroupMemoryBytes: null,
  oomKills: null,
  cpus: null,
  grantedMemoryBytes: null,
  gpus: null,
  gpuMemoryBytes: null,
});

function batchOf(runs: Parameters<typeof groupIntoBatches>[0], now = 0) {
  const [batch] = summarizeBatches(groupIntoBatches(runs), now);
  if (batch === undefined) throw new Error('no batch');
  return batch;
}

const failed = (id: string, cause: FailureCause) => someBatchRun({ id, outcome: 'failed', cause });

describe('the state of a batch', () => {
  it('counts slides, not runs', () => {
    const batch = batchOf([
      someBatchRun({ id: 'a', outcome: 'failed', cause: outOfMemory }),
      someBatchRun({ id: 'a2', retryOf: 'a', acceptedAt: minute }),
      someBatchRun({ id: 'b', outcome: 'canceled' }),
      openBatchRun({ id: 'c' }),
      openBatchRun({ id: 'd', stage: 'running' }),
    ]);
    expect(batch).toMatchObject({ id: 'a', total: 4, done: 2, succeeded: 1, failed: 0, canceled: 1 });
    expect(batch).toMatchObject({ running: 1, waiting: 1, endedAt: null, failures: [] });
    expect(batch.runs).toEqual(['a2', 'b', 'c', 'd']);
    expect(batch.unfinished).toEqual(['c', 'd']);
  });

  it('expects the end at the rate so far', () => {
    const ended = Array.from({ length: 6 }, (_, n) =>
      someBatchRun({ id: `a${n}`, startedAt: 0, finishedAt: (n + 1) * 10 * minute }),
    );
    const open = [openBatchRun({ id: 'b' }), openBatchRun({ id: 'c' }), openBatchRun({ id: 'd' })];
    const batch = batchOf([...ended, ...open], 60 * minute);
    expect(batch.slidesPerHour).toBeCloseTo(6);
    expect(batch.expectedEnd).toBe(90 * minute);
  });

  it('does not expect an end before a slide has ended', () => {
    const batch = batchOf([
      openBatchRun({ id: 'a', stage: 'running', startedAt: 0 }),
      openBatchRun({ id: 'b' }),
    ]);
    expect(batch).toMatchObject({ slidesPerHour: null, expectedEnd: null, time: null, memory: null });
  });

  it('knows the median and the worst slide', () => {
    const runs = [1, 2, 9].map((n) =>
      someBatchRun({ id: `a${n}`, runMs: n * minute, usage: usage(n * gigabyte) }),
    );
    expect(batchOf(runs)).toMatchObject({
      endedAt: minute,
      time: { median: 2 * minute, worst: 9 * minute, count: 3 },
      memory: { median: 2 * gigabyte, worst: 9 * gigabyte, count: 3 },
    });
  });

  it('groups failures by reason, and suggests what the facts allow', () => {
    const { failures } = batchOf([
      failed('a', { kind: 'exit', key: 'exit 3', text: 'exit code 3: no tissue', limit: null }),
      failed('b', outOfMemory),
      failed('c', outOfMemory),
      failed('d', { kind: 'node', key: 'node', text: 'its node failed', limit: null }),
    ]);
    expect(failures.map(({ count, reason }) => `${count} x ${reason}`)).toEqual([
      '2 x out of memory at 4G',
      '1 x exit code 3: no tissue',
      '1 x its node failed',
    ]);
    expect(failures[0]).toMatchObject({ runs: ['b', 'c'], suggestion: 'start them with --slurm_mem 8G' });
    expect(failures[1]?.suggestion).toBeNull();
    expect(failures[2]?.suggestion).toBe('retry them as they are');
  });

  it('is not shown for a single slide', () => {
    expect(summarizeBatches(groupIntoBatches([someBatchRun({ id: 'a' })]), 0)).toEqual([]);
  });

  it.each([
    [['Cells on a.svs', 'Cells on b.svs'], 'Cells'],
    [['Detect cells (a.svs)', 'Detect cells (ab.svs)'], 'Detect cells'],
    [['Cells', 'Cells'], 'Cells'],
    [['a', 'b'], null],
    [[null, null], null],
  ])('has the title that %j begin with', (titles, expected) => {
    const runs = titles.map((title, index) => someBatchRun({ id: `a${index}`, title }));
    expect(batchOf(runs).title).toBe(expected);
  });
});
