import { describe, expect, test } from 'vitest';
import { maskArguments } from '../../../src/base/redact.js';

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
