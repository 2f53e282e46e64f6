import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import { jobComment, jobName } from '../../../../src/slurm/job-identity.js';
import { openJournal } from '../../../../src/worker/run-state/journal.js';
import { journalVersion } from '../../../../src/worker/run-state/journal-lines.js';
import { readJournal } from '../../../../src/worker/run-state/read-journal.js';
import type { Run } from '../../../../src/worker/run-state/run.js';
import { heldLease } from '../../../support/lease.js';
import { failed, printed, squeueLine, type Call } from '../../slurm/fake-run.js';
import { openProcessRunBench } from '../process-run-bench.js';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-journals-'));
  path = join(dir, 'journal.jsonl');
});
afterEach(async () => rm(dir, { recursive: true }));

const versions = Array.from({ length: journalVersion }, (_, index) => index + 1);

const linesOf = async (version: number): Promise<string[]> => {
  const fixture = new URL(`../../../fixtures/journals/journal-${version}.jsonl`, import.meta.url);
  return (await readFile(fixture, 'utf8')).split('\n').slice(0, -1);
};

const titleOf = (run: Run): string => run.description?.title ?? '';

async function readLines(lines: readonly string[]): Promise<Map<string, Run>> {
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  const { runs, damaged, torn, headless } = await readJournal(path);
  expect({ damaged, torn, headless }).toEqual({ damaged: [], torn: 0, headless: false });
  return runs;
}

/** Slurm with at most one job, which completes as soon as it is looked at. */
function slurmFor(run: Run): (call: Call) => ReturnType<typeof printed> {
  const { submission } = run;
  // the worker died after it had asked for the job: Slurm has it, whether the worker read the answer or not
  let job = submission === null ? null : (run.jobId ?? '4711');
  return (call) => {
    if (call.file === 'sbatch') {
      job = '4712';
      return printed('4712\n');
    }
    if (call.file !== 'squeue') return failed(`${call.file} is not needed here`);
    if (job === null) return printed('');
    const fields = { JobArrayID: job, State: 'COMPLETED', Name: jobName(run.id) };
    const mark = submission?.mark ?? null;
    return printed(
      squeueLine(call, mark === null ? fields : { ...fields, Comment: jobComment(run.id, mark) }),
    );
  };
}

describe.each(versions)('a journal of format %i, as its worker left it when it was killed', (version) => {
  test('has all runs where they were', async () => {
    const runs = await readLines(await linesOf(version));
    const seen = Object.fromEntries(
      [...runs.values()].map((run) => [titleOf(run), [run.stage, run.outcome, run.jobId !== null]]),
    );
    expect(seen).toEqual({
      succeeded: ['finished', 'succeeded', true],
      failed: ['finished', 'failed', true],
      running: ['running', null, true],
      canceling: ['running', null, true],
      'ends without a worker': ['queued', null, true],
      queued: ['queued', null, true],
    });
    const canceling = [...runs.values()].filter(({ cancel }) => cancel !== null);
    expect(canceling.map(titleOf)).toEqual(['canceling']);
  });

  test('is rewritten in the present format, and nothing is lost', async () => {
    const before = await readLines(await linesOf(version));
    const { journal, runs } = await openJournal(dir, silentLog(), heldLease);
    await journal.close();
    expect(runs).toEqual(before);
    expect((await readJournal(path)).runs).toEqual(before);
    expect(await readFile(path, 'utf8')).toMatch(`{"journal":"dsa-slurm","version":${journalVersion}}\n`);
  });

  test('cut after any line: each run continues to its end with one Slurm job', async () => {
    const lines = await linesOf(version);
    for (let length = 1; length <= lines.length; length += 1) {
      const runs = await readLines(lines.slice(0, length));
      // the others upload outputs, or wait for their job to be canceled
      const waiting = [...runs.values()].filter((run) => ['running', 'queued'].includes(titleOf(run)));
      for (const run of waiting) {
        const bench = await openProcessRunBench({ run, slurm: slurmFor(run) });
        const end = await bench.finished();
        const submissions = bench.calls.filter(({ file }) => file === 'sbatch');
        await bench.close();
        expect(end).toMatchObject({ stage: 'finished', outcome: 'succeeded' });
        expect(submissions).toHaveLength(run.submission === null ? 1 : 0);
        if (run.jobId !== null) expect(end?.jobId).toBe(run.jobId);
      }
    }
  });
});
