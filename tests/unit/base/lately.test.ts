import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { createCounter } from '../../../src/base/counter.js';
import { createLog, recentProblems, silentLog } from '../../../src/base/log.js';
import { maskArguments } from '../../../src/base/redact.js';
import { createRing } from '../../../src/base/ring.js';

test('a ring keeps the last items', () => {
  const ring = createRing<number>(3);
  for (const item of [1, 2, 3, 4]) ring.push(item);
  expect(ring.items()).toEqual([2, 3, 4]);
});

test('a counter counts per span and forgets the oldest', () => {
  let now = 0;
  const counter = createCounter(
    { now: () => now, monotonic: () => now, sleep: async () => undefined },
    1_000,
    3,
  );
  counter.add();
  counter.add();
  now = 1_500;
  counter.add();
  expect(counter.series()).toEqual([0, 2, 1]);
  now = 3_000;
  expect(counter.series()).toEqual([1, 0, 0]);
  expect(counter.sum()).toBe(1);
});

describe('recentProblems', () => {
  test('keeps warnings and errors with their reason and run, without secrets', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-log-'));
    const log = createLog({ level: 'info', destination: join(dir, 'log') });
    log.info('all is well');
    log.child({ run: 'r1' }).warn({ why: 'it is full', token: 'SECRET' }, 'the disk');
    log.error({ err: new Error('broken') }, 'journal');
    expect(recentProblems(log.child({ any: 1 }))).toMatchObject([
      { level: 'warn', text: 'the disk: it is full', run: 'r1' },
      { level: 'error', text: 'journal: broken', run: null },
    ]);
    expect(JSON.stringify(recentProblems(log))).not.toContain('SECRET');
    expect(recentProblems(log)[0]?.at).toBeGreaterThan(0);
  });

  test('is empty for a silent log', () => {
    expect(recentProblems(silentLog())).toEqual([]);
  });
});

describe('maskArguments', () => {
  const token = 'aB3'.repeat(21) + 'x';

  test.each([
    [
      ['--girderToken', 'short'],
      ['--girderToken', '***'],
    ],
    [['--api-key=abc'], ['--api-key=***']],
    [[token], ['***']],
    [[`x${token}`], [`x${token}`]],
    [['amqp://user:pass@host/'], ['amqp://user:***@host/']],
    [
      ['--token', '--other'],
      ['--token', '--other'],
    ],
    // a digest and a run's key are no secrets
    [[`dsa-slurm-sha256.${'0f'.repeat(32)}`], [`dsa-slurm-sha256.${'0f'.repeat(32)}`]],
    [['/data/slide 1.svs'], ['/data/slide 1.svs']],
  ])('%j', (args, shown) => {
    expect(maskArguments(args)).toEqual(shown);
  });
});
