import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { systemClock, type Clock } from '../../../../src/base/clock.js';
import { openRotatingFile } from '../../../../src/base/files/rotating-file.js';
import { printLog } from '../../../../src/worker/logs/print-log.js';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-print-log-'));
  path = join(dir, 'worker.log');
});
afterEach(async () => rm(dir, { recursive: true }));

/** Follows the log; each sleep is one of the steps, and the last one ends it. */
async function follow(...steps: (() => unknown)[]): Promise<string> {
  const over = new AbortController();
  let printed = '';
  const clock: Clock = {
    ...systemClock,
    async sleep() {
      const step = steps.shift();
      if (step === undefined) over.abort();
      else await step();
    },
  };
  const write = (text: string): void => {
    printed += text;
  };
  await printLog(path, { follow: true, lines: 10, write, clock, signal: over.signal });
  return printed;
}

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

describe('a log that is followed', () => {
  test('is printed as it grows, without what would control the terminal', async () => {
    await writeFile(path, 'first\n');
    expect(
      await follow(
        () => appendFile(path, 'second\n'),
        () => appendFile(path, '\u001B[2Jthird\n'),
      ),
    ).toBe('first\nsecond\n[2Jthird\n');
  });

  test('may appear later', async () => {
    expect(await follow(() => writeFile(path, 'first\n'))).toBe('first\n');
  });

  test('is printed without a gap when it is rotated', async () => {
    const log = openRotatingFile(path, { maxBytes: 200, keep: 3 });
    const write = (from: number, to: number) => () => {
      for (let line = from; line <= to; line += 1) log.write(`line ${line}\n`);
    };
    write(1, 5)();
    // the third rotates, after lines that are not printed yet, and writes more than there was before
    expect(await follow(write(6, 15), write(16, 40), write(41, 42))).toBe(numbered(1, 42));
  });

  test('goes on when somebody else rotates it and it is missing for a while', async () => {
    await writeFile(path, 'one\n');
    expect(
      await follow(
        () => rename(path, `${path}.1`),
        () => writeFile(path, 'two, which is longer\n'),
        () => appendFile(path, 'three\n'),
      ),
    ).toBe('one\ntwo, which is longer\nthree\n');
  });

  test('is read from its start again when it is shortened', async () => {
    await writeFile(path, 'a first attempt\n');
    expect(
      await follow(
        () => truncate(path),
        () => appendFile(path, 'second\n'),
      ),
    ).toBe('a first attempt\nsecond\n');
  });
});
