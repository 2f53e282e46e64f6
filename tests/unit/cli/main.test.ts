import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { exitCodeFor } from '../../../src/cli/exit.js';
import { nodeFits } from '../../../src/cli/node-version.js';
import { renderError } from '../../../src/cli/render-error.js';
import { untilSignal } from '../../../src/cli/signals.js';

describe('nodeFits', () => {
  const { engines } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    engines: { node: string };
  };

  it.each([
    ['20.20.2', false],
    ['22.22.1', false],
    ['22.22.2', true],
    ['22.23.0', true],
    ['23.11.0', false],
    ['24.14.9', false],
    ['24.15.0', true],
    ['25.1.0', false],
    ['26.0.0', true],
    ['100.0.0', true],
  ])('%s %s', (version, fits) => {
    expect(nodeFits(version, engines.node)).toBe(fits);
  });
});

describe('renderError', () => {
  const known = new DsaSlurmError('slurm', 'sbatch said \u001b[31mno\u0007.', {
    next: 'Ask it.',
    cause: new Error('why'),
  });
  const defect = new TypeError('x is undefined');

  it('prints what happened and what to do, without control characters', () => {
    expect(renderError(known, { json: false, debug: false })).toEqual({
      stdout: '',
      stderr: 'dsa-slurm: sbatch said \uFFFD[31mno\uFFFD.\n  Ask it.\n',
    });
  });

  it('prints stack traces, including causes, only with --debug', () => {
    expect(renderError(defect, { json: false, debug: false }).stderr).toMatch(
      /^dsa-slurm: internal error: x is undefined\n.*--debug.*\n$/,
    );
    expect(renderError(known, { json: false, debug: true }).stderr).toMatch(
      /\n {4}at [^]*caused by Error: why/,
    );
  });

  it('prints JSON to standard output for scripts', () => {
    expect(JSON.parse(renderError(known, { json: true, debug: false }).stdout)).toEqual({
      error: { code: 'slurm', message: known.message, next: 'Ask it.' },
    });
    expect(JSON.parse(renderError(defect, { json: true, debug: false }).stdout)).toMatchObject({
      error: { code: 'internal' },
    });
  });

  it.each([
    [new DsaSlurmError('usage', ''), 2],
    [new DsaSlurmError('config', ''), 2],
    [new DsaSlurmError('broker', ''), 1],
    [defect, 1],
  ])('%#: exit code', (error, code) => {
    expect(exitCodeFor(error)).toBe(code);
  });
});

function fakeProcess() {
  const killed: unknown[] = [];
  const target = Object.assign(new EventEmitter(), {
    pid: 7,
    kill: (pid: number, signal?: string | number) => killed.push([pid, signal]) > 0,
  });
  return { target, killed };
}

describe('untilSignal', () => {
  it('aborts on the first signal and lets the second take its default effect', async () => {
    const { target, killed } = fakeProcess();
    const over = untilSignal(async (signal) => {
      target.emit('SIGTERM', 'SIGTERM');
      expect(signal.aborted).toBe(true);
      expect(killed).toEqual([]);
      target.emit('SIGINT', 'SIGINT');
      return signal.reason as unknown;
    }, target as never);
    expect(await over).toBe('SIGTERM');
    expect(killed).toEqual([[7, 'SIGINT']]);
    expect(target.eventNames()).toEqual([]);
  });

  it('removes its signal handlers, also after an error', async () => {
    const { target } = fakeProcess();
    await expect(untilSignal(async () => Promise.reject(new Error('no')), target as never)).rejects.toThrow(
      'no',
    );
    expect(target.eventNames()).toEqual([]);
  });
});
