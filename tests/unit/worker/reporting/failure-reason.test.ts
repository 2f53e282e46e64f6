import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import type { Executor } from '../../../../src/worker/executor/executor.js';
import { failureReason } from '../../../../src/worker/reporting/failure-reason.js';
import type { EndedRun } from '../../../../src/worker/run-state/run-milestones.js';
import type { RecordedJobEnd } from '../../../../src/worker/run-state/run.js';

test('the last lines of a short log are those of the program', async () => {
  const logFile = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-reason-')), 'log');
  await writeFile(
    logFile,
    "WARNING: passwd file doesn't exist in container, not updating\n<filter-progress>0.5</filter-progress>\nNo such slide\n",
  );
  const end: RecordedJobEnd = {
    outcome: 'failed',
    state: { base: 'FAILED', flags: [] },
    exitCode: { code: 3, signal: 0 },
    reason: '',
    toldBy: 'squeue',
  };
  const run = { jobId: '7', submission: { logFile }, end } as unknown as EndedRun;
  const executor = {
    jobNoun: 'Slurm job',
    owner: { state: () => 'The analysis failed.' },
  } as unknown as Executor;
  expect(await failureReason(run, executor)).toBe(
    'The analysis failed. (Slurm job 7, state FAILED, exit code 3)\nIts last lines were:\n  No such slide',
  );
});
