import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  createSeparators,
  parseSqueue,
  queryJobs,
  squeueArguments,
} from '../../../../src/slurm/commands/squeue.js';
import { fakeRun, printed, squeueLine, timedOut, unreachable } from '../fake-run.js';

const captured = readFileSync(new URL('../../../fixtures/slurm/squeue-22.05.txt', import.meta.url), 'utf8');
const separators = createSeparators('q7f3');

describe('parseSqueue', () => {
  const { rows, unparsable } = parseSqueue(captured, separators);
  const byId = new Map(rows.map((row) => [row.id, row]));

  it('parses every job of real output', () => {
    expect(unparsable).toBe(0);
    expect([...byId.keys()].sort()).toEqual(
      ['13', '14', '15', '16_[0-5%2]', '17_1', '17_2', '18', '19', '20', '21', '22', '24'].sort(),
    );
  });

  it('parses a running job of dsa-slurm', () => {
    expect(byId.get('13')).toEqual({
      id: '13',
      name: 'dsa-slurm-0b7c8a52-1111-4222-8333-444455556666',
      user: 'root',
      state: { base: 'RUNNING', flags: [] },
      reason: '',
      partition: 'main',
      nodes: 'n1',
      cpus: 2,
      memory: '500M',
      gres: '',
      elapsed: 6,
      timeLimit: 600,
      submittedAt: 1_795_463_353_000,
      startedAt: 1_795_463_354_000,
      expectedStart: null,
      endedAt: null,
      exitCode: null,
      key: '0b7c8a52-1111-4222-8333-444455556666',
      mark: null,
    });
  });

  it('parses names with newlines, control characters, foreign separators and 500 letters', () => {
    expect(byId.get('14')).toMatchObject({
      name: 'odd | name, \'quoted\' "é ☃" \u001F\u001E q7f3\nsecond line',
      state: { base: 'RUNNING', flags: [] },
      key: null,
    });
    expect(byId.get('15')?.name).toBe('x'.repeat(500));
  });

  it('reads ended jobs with their exit code', () => {
    expect(byId.get('18')).toMatchObject({
      state: { base: 'FAILED' },
      reason: 'NonZeroExitCode',
      exitCode: { code: 3, signal: 0 },
      endedAt: 1_795_463_354_000,
    });
    expect(byId.get('19')?.exitCode).toEqual({ code: 0, signal: 9 });
    expect(byId.get('20')).toMatchObject({ state: { base: 'CANCELLED' }, exitCode: { code: 0, signal: 15 } });
  });

  it('parses pending jobs with their expected start', () => {
    expect(byId.get('21')).toMatchObject({
      reason: 'Resources',
      startedAt: null,
      expectedStart: 1_826_999_354_000,
      timeLimit: null,
      nodes: '',
      exitCode: null,
      endedAt: null,
    });
  });

  it('counts records that it cannot parse, and keeps the others', () => {
    const first = captured.indexOf(separators.record);
    const torn = captured.slice(0, captured.lastIndexOf(separators.field));
    expect(parseSqueue(torn, separators)).toMatchObject({ rows: { length: rows.length - 1 }, unparsable: 1 });
    const other = `${captured.slice(0, first).replace('CANCELLED', '')}${captured.slice(first)}`;
    expect(parseSqueue(other, separators)).toMatchObject({
      rows: { length: rows.length - 1 },
      unparsable: 1,
    });
    const banner = `Welcome to the cluster\n${captured}`;
    expect(parseSqueue(banner, separators)).toEqual({ rows, unparsable: 0 });
    expect(parseSqueue('', separators)).toEqual({ rows: [], unparsable: 0 });
    expect(parseSqueue('Welcome to the cluster\n', separators)).toEqual({ rows: [], unparsable: 1 });
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseSqueue(text.replaceAll('F', separators.field).replaceAll('R', separators.record), separators);
      }),
    );
  });
});

describe('queryJobs', () => {
  it('queries all states at once, with unpredictable separators', async () => {
    const { run, calls } = fakeRun((call) =>
      printed(squeueLine(call, { JobArrayID: '7', State: 'RUNNING', 'tres-per-job': 'gres/gpu:2,gres:x:1' })),
    );
    expect(await queryJobs(run, { kind: 'mine' })).toMatchObject({
      kind: 'answer',
      rows: [{ id: '7', gres: 'gpu:2,x:1' }],
      unparsable: 0,
    });
    await queryJobs(run, { kind: 'mine' });
    expect(calls[0]?.args).toEqual(expect.arrayContaining(['--all', '--states=all', '--noheader', '--me']));
    expect(calls[0]?.options.env).toEqual({ SLURM_TIME_FORMAT: '%s', SLURM_BITSTR_LEN: '0' });
    expect(calls[0]?.args).not.toEqual(calls[1]?.args);
  });

  it('reports a failure as silence', async () => {
    for (const result of [timedOut, unreachable]) {
      const { run } = fakeRun(() => result);
      expect(await queryJobs(run, { kind: 'all' })).toMatchObject({ kind: 'silence' });
    }
  });

  it('can query by name', () => {
    const args = squeueArguments({ kind: 'name', name: 'dsa-slurm-x' }, separators);
    expect(args).toContain('--name=dsa-slurm-x');
    // anyone may give a job this name
    expect(args).toContain('--me');
  });
});
