import { describe, expect, it } from 'vitest';

import type { Analysis, ContainerArgument, Input } from '../../../../src/girder/protocol/analysis.js';
import { argumentsKey } from '../../../../src/worker/batches/arguments-key.js';
import { batchRunOf } from '../../../../src/worker/batches/batch-run.js';
import { lastLinesMark } from '../../../../src/worker/reporting/failure-reason.js';
import { applyEvent, beginRun, type RecordedJobEnd, type Run } from '../../../../src/worker/run-state/run.js';
import { someTask } from '../../../support/tasks.js';

const access = { apiUrl: 'http://girder/api/v1', token: 'SECRET' };

function slide(fileId: string, fileName: string): Input {
  return {
    kind: 'file',
    identity: fileId,
    access,
    fileId,
    fileName,
    volume: { kind: 'default' },
    directPath: null,
    directIfOpened: false,
  };
}

function analysis(...args: ContainerArgument[]): Analysis {
  return {
    image: 'example/cells:v1',
    entrypoint: null,
    args,
    volumes: [],
    streams: [],
    hooks: [],
    environment: {},
    gpu: false,
    ignoredOptions: [],
    title: null,
    ownerId: null,
  };
}

const text = (value: string): ContainerArgument => ({ kind: 'text', text: value });
const output = (filename: string): ContainerArgument => ({
  kind: 'volumePath',
  filename,
  volume: { kind: 'default' },
});

const reason = (line: string) => `The analysis failed.${lastLinesMark}  first\n  ${line}`;
const named = (id: string, name: string, item: string) =>
  argumentsKey(analysis(slide(id, name), text(`--label=${name}`), text(item)));

describe('the arguments of a batch', () => {
  const one = argumentsKey(
    analysis(text('Cells'), text('--size'), text('5'), slide('a'.repeat(24), 'a 1.svs'), output('a 1.json')),
  );

  it.each([
    ['another slide, output and token', [text('5'), slide('b'.repeat(24), 'b.svs'), output('b.json')]],
  ])('are the same for %s', (_, rest) => {
    expect(argumentsKey(analysis(text('Cells'), text('--size'), ...rest))).toBe(one);
  });

  it.each([
    ['another parameter', [text('6'), slide('b'.repeat(24), 'b.svs'), output('b.json')]],
    ['one more parameter', [text('5'), slide('b'.repeat(24), 'b.svs'), output('b.json'), text('--fast')]],
  ])('differ for %s', (_, rest) => {
    expect(argumentsKey(analysis(text('Cells'), text('--size'), ...rest))).not.toBe(one);
  });

  it('are the same where a parameter names the slide', () => {
    expect(named('a'.repeat(24), 'one.svs', '1'.repeat(24))).toBe(
      named('b'.repeat(24), 'another.svs', '2'.repeat(24)),
    );
  });
});

const submission = {
  key: 'k',
  logFile: '/l',
  exitRecord: '/e',
  at: 0,
  lines: { sbatch: ['sbatch', '--mem=4G', '--time=2:00:00'], container: [] },
};

/** A run that failed as `end` says. */
function failedRun(end: Partial<RecordedJobEnd> | null, reason: string): Run {
  const begun = beginRun({ type: 'accepted', at: 0, task: someTask(), refusal: null });
  const described = applyEvent(begun, {
    type: 'described',
    at: 0,
    description: { image: 'example/cells:v1', cli: 'Cells' },
  });
  const submitted = applyEvent(described, { type: 'submitting', at: 1, submission });
  const ended =
    end === null
      ? submitted
      : applyEvent(submitted, {
          type: 'job-ended',
          at: 2,
          end: {
            outcome: 'failed',
            state: { base: 'FAILED', flags: [] },
            exitCode: { code: 1, signal: 0 },
            reason: '',
            toldBy: 'squeue',
            ...end,
          },
        });
  return applyEvent(applyEvent(ended, { type: 'decided', at: 3, outcome: 'failed', reason }), {
    type: 'finished',
    at: 4,
    told: true,
  });
}

const causeOf = (end: Partial<RecordedJobEnd> | null, reason = 'It failed.') =>
  batchRunOf(failedRun(end, reason))?.cause;

describe('why a run failed', () => {
  it.each([
    ['OUT_OF_MEMORY', 'out of memory at 4G'],
    ['TIMEOUT', 'time limit of 2h 00m reached'],
    ['NODE_FAIL', 'its node failed'],
    ['PREEMPTED', 'preempted by another job'],
  ])('is read from the state %s', (base, expected) => {
    expect(causeOf({ state: { base, flags: [] } })?.text).toBe(expected);
  });

  it('is memory if the kernel killed a process for it, whatever Slurm says', () => {
    const usage = { wallMs: 1, cpuMs: 1, memoryBytes: 1, cgroupMemoryBytes: 1, oomKills: 1 };
    const rest = { cpus: null, grantedMemoryBytes: null, gpus: null, gpuMemoryBytes: null };
    expect(causeOf({ usage: { ...usage, ...rest } })).toMatchObject({ kind: 'memory', limit: 4 * 1024 ** 3 });
  });

  it('is the exit code with the last line of the log, equal for all slides', () => {
    const one = causeOf({}, reason("KeyError: 'a.svs' in /mnt/x/a.svs at 12"));
    const two = causeOf({}, reason("KeyError: 'b.svs' in /mnt/y/b.svs at 7"));
    expect(one?.text).toBe("exit code 1: KeyError: 'a.svs' in /mnt/x/a.svs at 12");
    expect(two?.key).toBe(one?.key);
    expect(causeOf({}, reason('ValueError'))?.key).not.toBe(one?.key);
  });

  it('is its first sentence if it had no job', () => {
    expect(causeOf(null, 'The file 5f is gone.\nAsk someone.')).toMatchObject({
      kind: 'other',
      text: 'The file 5f is gone.',
    });
  });

  it('cannot write to the terminal', () => {
    expect(causeOf(null, 'a\u001B[2Jb')?.text).toBe('a\uFFFD[2Jb');
  });
});
