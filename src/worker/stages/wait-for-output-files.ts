import { dirname } from 'node:path';

import { errorLine } from '../../base/errors.js';
import { readdir } from '../../base/network-fs.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { missingOutputs } from '../../girder/transfer/upload-outputs.js';
import { readExitRecord } from '../../slurm/exit-record.js';
import { sizeOfLog } from '../logs/log-file.js';
import type { JobEnd, Run } from '../run-state/run.js';
import type { StageContext, WorkerServices } from '../worker-services.js';

/** Between two looks, in milliseconds: the first wait, and the longest. */
const firstWaitMs = 500;
const longestWaitMs = 5_000;

/**
 * Waits until what an ended job has written shows on this host, for at most `slurm.lateFilesSeconds`: the record that our
 * batch script writes last, the log in the length that stands in it, and the outputs that must be there. Outputs that
 * need not be are waited for only where something else was late: most runs that lack one never wrote it.
 */
export async function waitForOutputFiles(
  { id, signal }: StageContext,
  analysis: Analysis,
  end: JobEnd,
  services: WorkerServices,
): Promise<void> {
  const { runStore, clock, log, settings } = services;
  const run = runStore.get(id);
  if (run === undefined || !endedByItself(end)) return;
  const until = clock.monotonic() + settings.slurm.lateFilesSeconds * 1_000;
  let isLate = false;
  for (let wait = firstWaitMs; !signal.aborted; wait = Math.min(wait * 2, longestWaitMs)) {
    const missing = await whatIsMissing(run, analysis, { end, isLate }, services);
    if (missing === null) return;
    if (clock.monotonic() >= until)
      return log.warn({ run: id, missing }, 'what the job wrote does not show here');
    isLate ||= missing.what !== 'outputs';
    await clock.sleep(wait, signal);
  }
}

/** Ours is the batch script that ended it, and not Slurm: then it has written its record. */
function endedByItself({ outcome, state, exitCode }: JobEnd): boolean {
  if (outcome === 'succeeded') return true;
  return state.base === 'FAILED' && exitCode !== null && exitCode.code !== 0 && exitCode.signal === 0;
}

async function whatIsMissing(
  run: Run,
  analysis: Analysis,
  { end, isLate }: { end: JobEnd; isLate: boolean },
  { submitScript, log }: WorkerServices,
): Promise<{ what: 'record' | 'log' | 'outputs'; names?: string[] } | null> {
  const { submission, staged, jobId } = run;
  try {
    if (submission !== null && submitScript.takesArgumentsFile) {
      const record = await readExitRecord(submission.exitRecord);
      if (record?.jobId !== jobId) {
        await readdir(dirname(submission.exitRecord));
        return { what: 'record' };
      }
      const isWhole =
        record.logBytes === null ||
        submission.streams?.stdout !== undefined ||
        (await sizeOfLog(submission.logFile)) >= record.logBytes;
      if (!isWhole) return { what: 'log' };
    }
    if (staged === null || end.outcome !== 'succeeded') return null;
    const names = await missingOutputs(analysis.hooks, staged, {
      done: new Set(run.outputsDone),
      all: isLate,
    });
    return names.length === 0 ? null : { what: 'outputs', names };
  } catch (error) {
    // whoever needs the file says what is wrong with it
    log.debug({ run: run.id, why: errorLine(error) }, 'it cannot be told whether all files are there');
    return null;
  }
}
