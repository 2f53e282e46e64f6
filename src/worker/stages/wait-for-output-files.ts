import { dirname } from 'node:path';

import { errorLine } from '../../base/errors.js';
import { readdir } from '../../base/files/network-fs.js';
import type { Analysis } from '../../girder/protocol/analysis.js';
import { missingOutputs } from '../../girder/transfer/upload-outputs.js';
import { readExitRecord } from '../../slurm/exit-record.js';
import { sizeOfLog } from '../logs/log-file.js';
import type { EndedRun } from '../run-state/run-milestones.js';
import type { RecordedJobEnd } from '../run-state/run.js';
import type { Services, StageContext } from '../worker-services.js';

/** Interval between two checks, in milliseconds: the first and the longest. */
const firstWaitMs = 500;
const maxWaitMs = 5_000;

/**
 * Waits until the files of an ended job are visible on this host, for at most `slurm.lateFilesSeconds`: the exit record,
 * which the batch script writes last, the log with the length that the record states, and the required outputs.
 * Optional outputs are waited for only if another file was late: most runs that lack one never wrote it.
 */
export async function waitForOutputFiles(
  { id, signal }: StageContext,
  analysis: Analysis,
  run: EndedRun,
  services: Services<'clock' | 'log' | 'settings' | 'submitScript'>,
): Promise<void> {
  const { clock, log, settings } = services;
  if (!endedOnItsOwn(run.end)) return;
  const until = clock.monotonic() + settings.slurm.lateFilesSeconds * 1_000;
  let isLate = false;
  for (let wait = firstWaitMs; !signal.aborted; wait = Math.min(wait * 2, maxWaitMs)) {
    const missing = await findMissing(run, analysis, isLate, services);
    if (missing === null) return;
    if (clock.monotonic() >= until)
      return log.warn({ run: id, missing }, 'files of the job are not visible on this host');
    isLate ||= missing.what !== 'outputs';
    await clock.sleep(wait, signal);
  }
}

/** Whether the batch script ended the job, and not Slurm: only then it has written its record. */
function endedOnItsOwn({ outcome, state, exitCode }: RecordedJobEnd): boolean {
  if (outcome === 'succeeded') return true;
  return state.base === 'FAILED' && exitCode !== null && exitCode.code !== 0 && exitCode.signal === 0;
}

async function findMissing(
  run: EndedRun,
  analysis: Analysis,
  isLate: boolean,
  { submitScript, log }: Services<'log' | 'submitScript'>,
): Promise<{ what: 'record' | 'log' | 'outputs'; names?: string[] } | null> {
  const { submission, staged, jobId, end } = run;
  try {
    if (submitScript.takesArgumentsFile) {
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
    // the stage that needs the file reports the error
    log.debug({ run: run.id, why: errorLine(error) }, 'could not check whether all files are there');
    return null;
  }
}
