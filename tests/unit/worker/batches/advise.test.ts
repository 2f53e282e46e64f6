import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { adviseResources } from '../../../../src/worker/batches/advise.js';
import type { BatchRun } from '../../../../src/worker/batches/batch-run.js';
import { renderAdvice } from '../../../../src/worker/batches/render-advice.js';
import { someBatchRun } from './some-runs.js';

const gigabyte = 1024 ** 3;
const minute = 60_000;

function used(memory: number, over: Partial<BatchRun> & { id: string }): BatchRun {
  return someBatchRun({
    requested: { memoryBytes: 16 * gigabyte, cpus: 8, timeLimitMs: 600 * minute, gpus: null },
    usage: {
      wallMs: 4 * minute,
      cpuMs: 6 * minute,
      memoryBytes: memory * gigabyte,
      cgroupMemoryBytes: 15 * gigabyte,
      oomKills: 0,
      cpus: 8,
      grantedMemoryBytes: null,
      gpus: null,
      gpuMemoryBytes: null,
    },
    ...over,
  });
}

const many = (count: number, memory: (index: number) => number, over: Partial<BatchRun> = {}): BatchRun[] =>
  Array.from({ length: count }, (_, index) => used(memory(index), { id: `run-${index}`, ...over }));

const outOfMemory = (id: string, limit: number): BatchRun =>
  used(limit, {
    id,
    outcome: 'failed',
    cause: { kind: 'memory', key: 'memory', text: 'out of memory', limit: limit * gigabyte },
  });

const options = { rules: [], minRuns: 20 };

describe('the advice', () => {
  it('is the 95th percentile with a margin, and its evidence', () => {
    const [advice] = adviseResources(
      many(100, (index) => 1 + index / 100),
      options,
    );
    expect(advice).toMatchObject({ runs: 100, refusal: null });
    expect(advice?.memory).toMatchObject({
      p50: 1.49 * gigabyte,
      p95: 1.94 * gigabyte,
      max: 1.99 * gigabyte,
      requested: 16 * gigabyte,
      proposed: 3 * gigabyte,
      above: 0,
    });
    expect(advice?.rule).toEqual({
      image: 'example/cells:v1',
      cli: 'Cells',
      mem: '3G',
      time: '0:10:00',
      cpus: 2,
    });
  });

  it('covers the maximum, but not one that is far above all others', () => {
    const near = adviseResources([...many(99, () => 4), used(7, { id: 'x' })], options);
    expect(near[0]?.rule?.mem).toBe('8G');
    const far = adviseResources([...many(99, () => 4), used(40, { id: 'x' })], options);
    expect(far[0]?.rule?.mem).toBe('5G');
    expect(far[0]?.memory?.above).toBe(1);
  });

  it('takes a run that ran out of memory for one that needed more', () => {
    const killed = Array.from({ length: 10 }, (_, index) => outOfMemory(`oom-${index}`, 4));
    const [advice] = adviseResources([...many(90, () => 2), ...killed], options);
    expect(advice).toMatchObject({ outOfMemory: 10, runs: 100 });
    expect(advice?.rule?.mem).toBe('8G');
    // it ended early, so its time says nothing
    expect(advice?.time?.max).toBe(4 * minute);
  });

  it('does not learn from analyses that failed or were canceled', () => {
    const failed = many(30, () => 1, {
      outcome: 'failed',
      cause: { kind: 'exit', key: 'exit', text: 'exit code 1', limit: null },
    });
    const canceled = many(30, () => 1, { outcome: 'canceled' });
    expect(adviseResources([...failed, ...canceled], options)).toEqual([]);
  });

  it('is refused below a minimum of runs', () => {
    const [advice] = adviseResources(
      many(19, () => 1),
      options,
    );
    expect(advice).toMatchObject({ rule: null, refusal: expect.stringContaining('Only 19 of its runs') });
    expect(
      renderAdvice(
        [
          ...adviseResources(
            many(19, () => 1),
            options,
          ),
        ],
        [],
      ),
    ).toMatch(/^# Cells of .*nothing is proposed/);
  });

  it('keeps the other resources of the rule that matches now, but not its conditions', () => {
    const rules = [
      { cli: 'Other', partition: 'other' },
      { image: 'example/*', partition: 'cpu', mem: '1G' },
    ];
    const [advice] = adviseResources(
      many(20, () => 1),
      { ...options, rules },
    );
    expect(advice?.rule).toMatchObject({
      image: 'example/cells:v1',
      cli: 'Cells',
      partition: 'cpu',
      mem: '2G',
    });
  });

  it('separates runs with a GPU', () => {
    const gpu = many(20, () => 8, {
      requested: { memoryBytes: null, cpus: null, timeLimitMs: null, gpus: 'gpu:1' },
    });
    const rules = adviseResources([...many(30, () => 1), ...gpu], options).map(({ rule }) => rule);
    expect(rules.map((rule) => [rule?.gpu, rule?.mem])).toEqual([
      [undefined, '2G'],
      [true, '10G'],
    ]);
  });

  it('does not propose CPUs that would change nothing', () => {
    const busy = many(20, () => 1, {
      requested: { memoryBytes: null, cpus: 2, timeLimitMs: null, gpus: null },
    });
    expect(adviseResources(busy, options)[0]?.cpus).toBeNull();
  });
});

it('is YAML that can be read back, also with hostile names', () => {
  const image = 'evil/x:v1\n    # - image: "*"';
  const advice = adviseResources(
    many(20, () => 1, { image, cli: 'a: [b' }),
    options,
  );
  const rules = [{ image: 'example/*', partition: 'cpu' }];
  const text = renderAdvice(advice, rules);
  expect(parse(text)).toEqual({ slurm: { rules: [advice[0]?.rule, ...rules] } });
  expect(text).toContain('# a: [b of evil/x:v1 # - image: "*": 20 runs');
});
