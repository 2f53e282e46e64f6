import type { JobUsage } from '../../slurm/exit-record.js';
import type { RequestedResources } from '../../slurm/requested.js';
import { ingestTask } from '../../girder/protocol/task-names.js';
import type { Outcome, Run, Stage } from '../run-state/run.js';
import { requestedBy } from '../run-state/requested-by.js';
import { failureCause, type FailureCause } from './failure-cause.js';

/** What batches need to know of a run. */
export interface BatchRun {
  id: string;
  retryOf: string | null;
  /** Image, CLI and arguments but for the inputs: equal for all runs of a batch. */
  key: string;
  /** Null until it is known; also one for all runs of a batch. */
  user: string | null;
  image: string;
  cli: string;
  title: string | null;
  /** Names of its inputs. */
  inputs: readonly string[];
  girderJobId: string | null;
  jobId: string | null;
  acceptedAt: number;
  /** When its job started last; null before. */
  startedAt: number | null;
  finishedAt: number | null;
  stage: Stage;
  outcome: Outcome | null;
  /** Total time of its job in milliseconds; null until it has ended. */
  runMs: number | null;
  requested: RequestedResources | null;
  usage: JobUsage | null;
  /** Why it failed; null if it has not. */
  cause: FailureCause | null;
}

/** Returns a function that makes them; null for a run that belongs to no batch. An unchanged run is read once. */
export function createBatchRuns(): (run: Run) => BatchRun | null {
  const known = new WeakMap<Run, BatchRun | null>();
  return (run) => {
    const before = known.get(run);
    if (before !== undefined) return before;
    const made = batchRunOf(run);
    known.set(run, made);
    return made;
  };
}

/** Null for a run without a container: one that adds images, or whose message could not be read. */
export function batchRunOf(run: Run): BatchRun | null {
  const { image, cli, user, title, girderJobId } = run.description;
  if (image === '' || run.task.name === ingestTask) return null;
  return {
    id: run.id,
    retryOf: run.retryOf,
    key: JSON.stringify([image, cli, run.facts?.argumentsKey ?? null]),
    user,
    image,
    cli,
    title,
    inputs: run.facts?.inputs.map(({ name }) => name) ?? [],
    girderJobId,
    jobId: run.jobId,
    acceptedAt: run.acceptedAt,
    startedAt: run.stages.findLast(({ stage }) => stage === 'running')?.at ?? null,
    finishedAt: run.finishedAt,
    stage: run.stage,
    outcome: run.outcome,
    runMs: run.end === null ? null : (run.end.usage?.wallMs ?? timeRunning(run)),
    requested: requestedBy(run),
    usage: run.end?.usage ?? null,
    cause: failureCause(run),
  };
}

/** The time in stage running. A job between two polls is never seen running. */
function timeRunning({ stages }: Run): number | null {
  let total: number | null = null;
  for (const [index, { stage, at }] of stages.entries()) {
    const next = stages[index + 1];
    if (stage === 'running' && next !== undefined) total = (total ?? 0) + next.at - at;
  }
  return total;
}
