import { userInfo } from 'node:os';

import type { Clock } from '../../base/clock.js';
import type { RunCommand } from '../../base/command.js';
import type { Log } from '../../base/log.js';
import type { Settings } from '../../config/schema.js';
import type { CancelSignal } from '../../slurm/batch-script.js';
import { createGentleCancel } from '../../slurm/commands/scancel.js';
import { createCanceler } from '../../slurm/commands/cancel-queue.js';
import { changeJobs } from '../../slurm/commands/change-jobs.js';
import { changeNodes } from '../../slurm/commands/change-nodes.js';
import { accountedHistory } from '../../slurm/commands/sacct.js';
import { querySchedulerStatistics } from '../../slurm/commands/sdiag.js';
import { queryCluster } from '../../slurm/commands/sinfo.js';
import { exitRecordFile, readExitRecord } from '../../slurm/exit-record.js';
import { createJobRecords } from '../../slurm/job-records.js';
import { findJob } from '../../slurm/find-job.js';
import { waitingSentence } from '../../slurm/pending-reasons.js';
import { refusedSentence } from '../../slurm/refusals.js';
import { resolveEnd } from '../../slurm/job-end.js';
import { readBatchScript, showJob } from '../../slurm/commands/scontrol.js';
import { phaseOf, stateSentence } from '../../slurm/states.js';
import { endStraySubmissions } from '../../slurm/stray-submissions.js';
import { submit, submitArguments } from '../../slurm/commands/sbatch.js';
import { createTracker } from '../../slurm/tracker.js';
import type { Executor } from './executor.js';

/** Slurm's message timeout is 10 s: the request of an sbatch that gave up may arrive that much later. */
const visibilityDelayMs = 12_000;

export interface SlurmOptions {
  /** Runs Slurm's commands. */
  run: RunCommand;
  settings: Settings['slurm'];
  /** Directory of the exit records; null if it is unknown. */
  logsDirectory: string | null;
  /** The signal on which the batch script ends its analysis; null if it handles none, so a cancel has one step. */
  cancelSignal: CancelSignal | null;
  clock: Clock;
  log: Log;
  /** Ends the sbatch that a dead worker left running; a test without such processes has its own. */
  endLeftovers?: typeof endStraySubmissions;
}

/** Jobs run on the cluster. */
export function createSlurmExecutor({
  run,
  settings,
  logsDirectory,
  cancelSignal,
  clock,
  log,
  endLeftovers = endStraySubmissions,
}: SlurmOptions): Executor {
  const tracker = createTracker({
    run,
    clock,
    intervalMs: settings.pollSeconds * 1_000,
    scope: { kind: 'mine' },
    user: userName(),
    log,
  });
  const records = createJobRecords({ directory: logsDirectory, clock, log });
  const cancel = createGentleCancel({
    run,
    clock,
    signal: cancelSignal,
    graceMs: settings.cancelSeconds * 1_000,
    isRunning(jobId) {
      const row = tracker.row(jobId);
      if (row !== undefined && row.key !== null && row.state.base === 'RUNNING') return true;
      // a begin record counts until squeue is asked after it: the job may have been requeued since
      const begun = records.begun(jobId);
      return begun !== null && begun.at > (tracker.askedAt() ?? -Infinity);
    },
    isOver(jobId) {
      const row = tracker.row(jobId);
      return row !== undefined && phaseOf(row.state, row.reason) === 'ended';
    },
    async hasEnded(jobId) {
      const key = tracker.row(jobId)?.key ?? records.begun(jobId)?.key ?? null;
      if (logsDirectory === null || key === null) return false;
      return (await readExitRecord(exitRecordFile(logsDirectory, key)))?.jobId === jobId;
    },
    onError: (message) => log.warn({ message }, 'could not cancel jobs that did not end after the signal'),
  });
  return {
    jobNoun: 'Slurm job',
    name: 'Slurm',
    owner: { waits: waitingSentence, state: stateSentence, refused: refusedSentence },
    cancelCommand: 'scancel',
    stateSource: 'squeue',
    tracker,
    records,
    submit: async ({ env, directory, ...submission }) =>
      submit(run, submitArguments(submission), {
        env,
        // the job inherits it as its working directory
        cwd: directory,
        timeoutMs: settings.commandTimeoutSeconds * 1_000,
      }),
    async find(question) {
      const ended = await endLeftovers(question);
      if (ended.length > 0) log.warn({ ...question, ended }, 'ended a leftover sbatch of a dead worker');
      return findJob(run, question);
    },
    visibilityDelayMs,
    ...createCanceler(cancel, clock),
    resolveEnd: async ({ jobId, key, exitRecord, trustRecord }) =>
      resolveEnd({
        run,
        jobId,
        key,
        trustRecord,
        readExitRecord: async () => readExitRecord(exitRecord),
        now: () => clock.now(),
      }),
    change: async (change, jobIds) =>
      changeJobs(run, change, jobIds, (id) => tracker.row(id)?.timeLimit ?? null),
    changeNodes: async (change, nodes) => changeNodes(run, change, nodes),
    describe: async (jobId) => showJob(run, jobId),
    batchScript: async (jobId) => readBatchScript(run, jobId),
    cluster: async () => queryCluster(run),
    schedulerStatistics: async () => querySchedulerStatistics(run),
    accountedJobs: async (since) => accountedHistory(run, { uid: process.getuid?.() ?? -1, since }),
  };
}

/** The name of this process's user, as squeue prints it; null if the system has no name for it. */
function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}
