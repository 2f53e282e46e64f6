import { describe, expect, it } from 'vitest';
import {
  isJobId,
  parseSlurmDuration,
  parseSlurmExitCode,
  parseSlurmNumber,
  parseSlurmText,
  parseSlurmTime,
} from '../../../../src/slurm/commands/values.js';

describe('values as Slurm prints them', () => {
  it.each([
    ['0:30', 30],
    ['10:00', 600],
    ['1:02:03', 3723],
    ['1-02:03:04', 93_784],
    ['365-00:00:00', 31_536_000],
    ['UNLIMITED', null],
    ['infinite', null],
    ['INVALID', null],
    ['N/A', null],
    ['', null],
  ])('duration %j', (text, seconds) => expect(parseSlurmDuration(text)).toBe(seconds));

  it.each([
    ['1795462119', 1_795_462_119_000],
    ['2026-11-23T19:28:39', new Date(2026, 10, 23, 19, 28, 39).getTime()],
    ['Unknown', null],
    ['NONE', null],
    ['N/A', null],
    ['2026-99-99T99:99:99', null],
  ])('time %j', (text, ms) => expect(parseSlurmTime(text)).toBe(ms));

  it.each([
    ['3:0', { code: 3, signal: 0 }],
    ['0:15', { code: 0, signal: 15 }],
    ['768', { code: 3, signal: 0 }],
    ['15', { code: 0, signal: 15 }],
    ['0', { code: 0, signal: 0 }],
    ['4294967294', null],
    ['N/A', null],
  ])('exit code %j', (text, code) => expect(parseSlurmExitCode(text)).toEqual(code));

  it('empty texts and numbers', () => {
    expect(['(null)', 'N/A', 'None', ' x '].map(parseSlurmText)).toEqual(['', '', '', 'x']);
    expect(['8', '', '8+', '-1'].map(parseSlurmNumber)).toEqual([8, null, null, null]);
  });

  it.each(['42', '42_7', '42_[0-5%2]', '42_[1,3-...]', '42+1'])('%j is a job id', (id) => {
    expect(isJobId(id)).toBe(true);
  });

  it.each(['', '--user=x', '42 43', 'a', '42_', '42;rm', '42\n', '4_[$(x)]'])('%j is not a job id', (id) => {
    expect(isJobId(id)).toBe(false);
  });
});
