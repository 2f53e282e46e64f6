import { expect, test } from 'vitest';

import type { JobUsage } from '../../../src/slurm/exit-record.js';
import { usageTexts } from '../../../src/worker/views/usage-text.js';

const usage: JobUsage = {
  wallMs: 600_000,
  cpuMs: 1_140_000,
  memoryBytes: 3 * 1024 ** 3,
  cgroupMemoryBytes: null,
  oomKills: 1,
  cpus: 2,
  grantedMemoryBytes: 8 * 1024 ** 3,
  gpus: null,
  gpuMemoryBytes: null,
};

test('what a job used stands beside what it requested', () => {
  const requested = { memoryBytes: 4 * 1024 ** 3, cpus: 4, timeLimitMs: 7_200_000, gpus: null };
  expect(usageTexts(usage, requested)).toEqual([
    ['memory used', '3G of 4G (75%)'],
    ['out of memory', 'the kernel killed 1 of its processes'],
    ['CPU time', '19m 00s, 1.9 of 4 CPUs on average'],
    ['wall time', '10m 00s of 2h 00m (8%)'],
  ]);
});

test('what Slurm granted stands in for a request that is unknown', () => {
  const short = { ...usage, wallMs: 0, cpuMs: 260, oomKills: 0 };
  expect(usageTexts(short, null)).toEqual([
    ['memory used', '3G of 8G (38%)'],
    ['CPU time', '260ms'],
    ['wall time', '0s'],
  ]);
  expect(usageTexts(null, null)).toEqual([]);
});
