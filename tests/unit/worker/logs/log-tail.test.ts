import { appendFile, mkdtemp, open, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { LogTail } from '../../../../src/worker/views/handle.js';
import { tailLog, type LogPlace } from '../../../../src/worker/logs/log-tail.js';

let directory: string;
let path: string;
let latest: LogTail | null;
let told: number;
let stop: (() => void) | undefined;
let now: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-tail-'));
  path = join(directory, 'run.log');
  latest = null;
  told = 0;
  now = 0;
});

afterEach(async () => {
  stop?.();
  await rm(directory, { recursive: true });
});

/** Looks as often as the machine can; each look is a second of its clock. */
function tail(place: () => LogPlace = () => ({ path, problem: null })): void {
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async () => {
      now += 1_000;
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
  stop = tailLog(
    place,
    (view) => {
      latest = view;
      told += 1;
    },
    clock,
  );
}

const seen = async (fits: (view: LogTail) => boolean): Promise<LogTail> =>
  vi.waitFor(
    () => {
      if (latest === null || !fits(latest)) throw new Error(JSON.stringify(latest)?.slice(0, 300));
      return latest;
    },
    { timeout: 10_000, interval: 5 },
  );
const last = (line: string) => (view: LogTail) => view.lines.at(-1) === line;

test('only the end of a 1 GB log is read, and what is appended', async () => {
  await writeFile(path, 'the very beginning\n');
  await truncate(path, 1024 ** 3);
  await appendFile(path, `x\n${'0123456789abcde\n'.repeat(30_000)}the end\n`);
  const before = process.memoryUsage().arrayBuffers;
  tail();
  const { lines, lost, file } = await seen(last('the end'));
  expect(lines).toHaveLength(2_000);
  expect(lines[0]).toBe('0123456789abcde');
  // what was read is the last 256 kB: 16,384 lines and a piece of one
  expect(lost).toBe(16_384 - 2_000);
  expect(file).toMatchObject({ bytes: 1024 ** 3 + 480_010, from: 1024 ** 3 + 480_010 - 256 * 1024 });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64e6);
  await appendFile(path, 'one more\n');
  await seen(last('one more'));
});

test('lines appended while following have a time', async () => {
  await writeFile(path, 'old\n');
  tail();
  expect((await seen(last('old'))).times).toEqual([null]);
  await appendFile(path, 'new\nhalf');
  const { times } = await seen(last('half'));
  expect(times?.[0]).toBeNull();
  expect(times?.[1]).toBeGreaterThan(0);
  expect(times).toHaveLength(3);
});

test('a truncated log starts over', async () => {
  await writeFile(path, 'one\ntwo\n');
  tail();
  await seen(last('two'));
  await truncate(path, 0);
  await appendFile(path, 'again\n');
  expect((await seen(last('again'))).lines).toEqual(['again']);
});

test('a log that was truncated and outgrew its old size between two polls starts over', async () => {
  await writeFile(path, 'one\ntwo\n');
  tail();
  await seen(last('two'));
  const file = await open(path, 'r+');
  await file.write('after a requeue, and longer\nthan before\n', 0);
  await file.close();
  expect((await seen(last('than before'))).lines).toEqual(['after a requeue, and longer', 'than before']);
});

test('a replaced log is read from its start', async () => {
  await writeFile(path, 'one\n');
  tail();
  await seen(last('one'));
  await rename(path, `${path}.1`);
  await writeFile(path, 'two\nthree\n');
  expect((await seen(last('three'))).lines).toEqual(['two', 'three']);
});

test('a removed log keeps its lines and is reported as missing', async () => {
  await writeFile(path, 'one\n');
  tail();
  await seen(last('one'));
  await rm(path);
  const { lines, file } = await seen((view) => view.file?.isMissing === true);
  expect([lines, file?.problem]).toEqual([['one'], null]);
});

test('only the end of a large addition is read, and line numbers continue', async () => {
  await writeFile(path, 'one\n');
  tail();
  await seen(last('one'));
  const size = 20 * 1024 * 1024;
  await truncate(path, size);
  await appendFile(path, '\nflood\nend\n');
  const { lines, lost, file } = await seen(last('end'));
  expect(lines).toEqual(['flood', 'end']);
  expect(lost).toBe(1);
  expect(file?.from).toBeGreaterThanOrEqual(size - 256 * 1024);
});

test.each([
  ['is not there', { isMissing: true, problem: null }, async () => {}],
  [
    'is a link to somewhere else',
    { isMissing: false, problem: expect.stringContaining('ELOOP') },
    async () => symlink('/etc/hostname', path),
  ],
])('a log that %s is reported', async (_, expected, make) => {
  await make();
  tail();
  const { lines, file } = await seen(() => true);
  expect([lines, file]).toEqual([[], { path, bytes: 0, from: 0, ...expected }]);
});

test('an unknown path is reported with its reason, and unchanged state only once', async () => {
  let place: LogPlace = { path: null, problem: 'Slurm is silent' };
  tail(() => place);
  await seen(({ file }) => file?.problem === 'Slurm is silent');
  await writeFile(path, 'one\n');
  place = { path, problem: null };
  await seen(last('one'));
  const before = told;
  await vi.waitFor(() => expect(now).toBeGreaterThan(50_000), { timeout: 10_000 });
  expect(told).toBe(before);
});

test('a character that is split between two chunks stays whole', async () => {
  const bytes = Buffer.from('漢\n');
  await writeFile(path, bytes.subarray(0, 2));
  tail();
  await seen(() => true);
  await appendFile(path, bytes.subarray(2));
  expect((await seen(({ lines }) => lines.length === 1 && lines[0] !== '')).lines).toEqual(['漢']);
});

test('lines written during the lookup of the path have no time, later ones have', async () => {
  await writeFile(path, 'old\n');
  let place: LogPlace = { path: null, problem: null, isLookupPending: true };
  tail(() => place);
  await seen(({ file }) => file?.path === null);
  // some seconds later
  await vi.waitFor(() => expect(now).toBeGreaterThan(5_000));
  place = { path, problem: null };
  expect((await seen(last('old'))).times).toEqual([null]);
  await appendFile(path, 'new\n');
  expect((await seen(last('new'))).times).toEqual([null, expect.any(Number)]);
});
