import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../../src/base/log.js';
import { openRotatingFile } from '../../../src/base/files/rotating-file.js';

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'dsa-slurm-rotate-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a full file is renamed, the oldest one is removed, and no line is split or lost in between', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'worker.log');
  const file = openRotatingFile(path, { maxBytes: 20, keep: 2 });
  for (let line = 1; line <= 7; line += 1) file.write(`line ${line} xx\n`);
  expect(readdirSync(directory).sort()).toEqual(['worker.log', 'worker.log.1', 'worker.log.2']);
  expect(readFileSync(path, 'utf8')).toBe('line 7 xx\n');
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('line 5 xx\nline 6 xx\n');
  expect(readFileSync(`${path}.2`, 'utf8')).toBe('line 3 xx\nline 4 xx\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a file of an earlier start is continued', () => {
  const path = join(temporaryDirectory(), 'worker.log');
  const rotation = { maxBytes: 20, keep: 1 };
  openRotatingFile(path, rotation).write('0123456789ABCDE\n');
  openRotatingFile(path, rotation).write('next one\n');
  expect(readFileSync(path, 'utf8')).toBe('next one\n');
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('0123456789ABCDE\n');
});

test('a log rotates, too', () => {
  const path = join(temporaryDirectory(), 'worker.log');
  const log = createLog({ level: 'info', destination: path, rotation: { maxBytes: 200, keep: 3 } });
  for (let count = 0; count < 9; count += 1) log.info({ count }, 'a message of some length');
  const kept = [path, `${path}.1`].map((each) => readFileSync(each, 'utf8'));
  for (const text of kept) expect(text.length).toBeLessThanOrEqual(200);
  for (const line of kept.join('').trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('count');
});
