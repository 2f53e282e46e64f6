import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import type { Analysis, OutputHook } from '../../../../src/girder/protocol/analysis.js';
import { waitForOutputFiles } from '../../../../src/worker/stages/wait-for-output-files.js';
import type { EndedRun } from '../../../../src/worker/run-state/run-milestones.js';
import type { RecordedJobEnd } from '../../../../src/worker/run-state/run.js';
import type { StageContext, WorkerServices } from '../../../../src/worker/worker-services.js';
import { someSettings } from '../../../support/settings.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dsa-late-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const good: RecordedJobEnd = {
  outcome: 'succeeded',
  state: { base: 'COMPLETED', flags: [] },
  exitCode: { code: 0, signal: 0 },
  reason: '',
  toldBy: 'squeue',
};
const failed: RecordedJobEnd = {
  ...good,
  outcome: 'failed',
  state: { base: 'FAILED', flags: [] },
  exitCode: { code: 3, signal: 0 },
};

const whole = 'first\nlast\n';
const writeRecord = (): void =>
  writeFileSync(join(dir, 'exit'), `exit=0\njob=42\nnode=n1\nstart=1\nlog=${whole.length}\nend=2\n`);
const writeLog = (): void => writeFileSync(join(dir, 'log'), whole);
const writeOutput = (): void => writeFileSync(join(dir, 'out.csv'), 'x');

function output(mustExist: boolean): OutputHook {
  return {
    kind: 'uploadToFolder',
    access: { apiUrl: 'http://girder', token: 't' },
    volume: { kind: 'bind', host: dir, container: '/data', mode: 'rw' },
    filename: 'out.csv',
    deleteFile: false,
    folderId: 'f',
    mustExist,
    upload: {},
  };
}

/** @param later what happens once so many seconds have passed @returns the seconds that were waited */
async function waited(
  end: RecordedJobEnd,
  {
    hooks = [],
    later = {},
    ours = true,
  }: { hooks?: OutputHook[]; later?: Record<number, () => void>; ours?: boolean } = {},
): Promise<number> {
  let now = 0;
  const left = new Map(Object.entries(later).map(([seconds, act]) => [Number(seconds), act]));
  const run = {
    jobId: '42',
    submission: { key: 'k', logFile: join(dir, 'log'), exitRecord: join(dir, 'exit'), at: 1 },
    staged: { args: [], argsHoldToken: false, binds: [], ownDirectories: [], volumes: {} },
    outputsDone: [],
    end,
  } as unknown as EndedRun;
  const services = {
    log: silentLog(),
    settings: someSettings(),
    submitScript: { path: '/script', takesArgumentsFile: ours, takesTimeWarning: ours, cancelSignal: null },
    clock: {
      now: () => now,
      monotonic: () => now,
      sleep: async (ms: number) => {
        now += ms;
        for (const [seconds, act] of left) {
          if (now < seconds * 1_000) continue;
          left.delete(seconds);
          act();
        }
      },
    },
  } as unknown as WorkerServices;
  const context = { id: 'run-1', signal: new AbortController().signal } as StageContext;
  await waitForOutputFiles(context, { hooks } as unknown as Analysis, run, services);
  return now / 1_000;
}

describe('files of a job that are not visible yet', () => {
  test('no wait if all are visible', async () => {
    writeRecord();
    writeLog();
    expect(await waited(good)).toBe(0);
    expect(await waited(failed)).toBe(0);
  });

  test.each([
    ['the record', good],
    ['the record of an analysis that failed', failed],
  ])('%s', async (_, end) => {
    writeLog();
    const seconds = await waited(end, { later: { 60: writeRecord } });
    expect(seconds).toBeGreaterThanOrEqual(60);
    expect(seconds).toBeLessThan(70);
  });

  test('waits for the last lines of the log', async () => {
    writeRecord();
    writeFileSync(join(dir, 'log'), 'first\n');
    expect(await waited(good, { later: { 60: writeLog } })).toBeGreaterThanOrEqual(60);
  });

  test('waits for a required output', async () => {
    writeRecord();
    writeLog();
    const hooks = [output(true)];
    expect(await waited(good, { hooks, later: { 60: writeOutput } })).toBeGreaterThanOrEqual(60);
    expect(await waited(good, { hooks })).toBe(0);
  });

  test('waits for an optional output only if another file was late', async () => {
    writeRecord();
    writeLog();
    const hooks = [output(false)];
    expect(await waited(good, { hooks })).toBe(0);
    rmSync(join(dir, 'exit'));
    const seconds = await waited(good, { hooks, later: { 20: writeRecord, 40: writeOutput } });
    expect(seconds).toBeGreaterThanOrEqual(40);
    expect(seconds).toBeLessThan(60);
  });

  test('gives up after 90 s', async () => {
    const seconds = await waited(good);
    expect(seconds).toBeGreaterThanOrEqual(90);
    expect(seconds).toBeLessThan(100);
  });

  test('no wait if Slurm ended the job or the batch script writes no record', async () => {
    const timedOut = { ...failed, state: { base: 'TIMEOUT', flags: [] }, exitCode: { code: 0, signal: 15 } };
    expect(await waited(timedOut)).toBe(0);
    expect(await waited({ ...good, outcome: 'canceled' })).toBe(0);
    expect(await waited(good, { ours: false })).toBe(0);
  });
});
