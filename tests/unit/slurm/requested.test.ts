import { describe, expect, it } from 'vitest';

import {
  formatMemory,
  memoryOption,
  parseMemory,
  parseTimeLimit,
  requestedResources,
  timeLimitOption,
} from '../../../src/slurm/requested.js';

describe('what a job asked for', () => {
  it('is read from the arguments of sbatch', () => {
    const line = [
      'sbatch',
      '--parsable',
      '--mem=4G',
      '--cpus-per-task=4',
      '--ntasks=2',
      '--time=1-12',
      '--gres=gpu:1',
    ];
    expect(requestedResources(line)).toEqual({
      memoryBytes: 4 * 1024 ** 3,
      cpus: 8,
      timeLimitMs: 36 * 3_600_000,
      gpus: 'gpu:1',
    });
  });

  it('is the memory per CPU times the CPUs', () => {
    expect(requestedResources(['--mem-per-cpu=2G', '--cpus-per-task=3']).memoryBytes).toBe(6 * 1024 ** 3);
  });

  it('is unknown where the partition decides', () => {
    const nothing = { memoryBytes: null, cpus: null, timeLimitMs: null, gpus: null };
    expect(requestedResources(['--comment=--mem=4G', '--gres=scratch:1', 'x.slurm'])).toEqual(nothing);
  });
});

it.each([
  ['4G', 4 * 1024 ** 3],
  ['4096', 4 * 1024 ** 3],
  ['500MB', 500 * 1024 ** 2],
  ['0', null],
  ['much', null],
])('reads the memory %s', (text, bytes) => expect(parseMemory(text)).toBe(bytes));

it.each([
  [600 * 1024, '600K'],
  [3.24 * 1024 ** 3, '3.2G'],
  [16 * 1024 ** 3, '16G'],
  [1010 * 1024 ** 2, '1G'],
])('writes %d bytes as Slurm does', (bytes, text) => expect(formatMemory(bytes)).toBe(text));

it.each([
  ['30', 30],
  ['30:00', 30],
  ['4:00:00', 240],
  ['1-12', 36 * 60],
  ['1-12:30', 36 * 60 + 30],
  ['0:00:30', 0.5],
  ['UNLIMITED', null],
])('reads the time limit %s', (text, minutes) =>
  expect(parseTimeLimit(text)).toBe(minutes === null ? null : minutes * 60_000),
);

it.each([
  [8 * 1024 ** 3, '8G'],
  [8.1 * 1024 ** 3, '9G'],
  [1_500 * 1024 ** 3, '1500G'],
  [800 * 1024 ** 2, '1G'],
  [300 * 1024 ** 2, '512M'],
  [1, '256M'],
])('rounds %d bytes up to what sbatch accepts', (bytes, text) => {
  expect(memoryOption(bytes)).toBe(text);
  expect(parseMemory(text)).toBeGreaterThanOrEqual(bytes);
});

it.each([
  [90 * 60_000, '1:30:00'],
  [1, '0:01:00'],
  [100 * 3_600_000 + 1, '100:01:00'],
])('rounds %d ms up to a time limit that sbatch accepts', (ms, text) => {
  expect(timeLimitOption(ms)).toBe(text);
  expect(parseTimeLimit(text)).toBeGreaterThanOrEqual(ms);
});
