import { requestedResources, type RequestedResources } from '../../slurm/requested.js';
import { stateText } from '../../slurm/states.js';
import type { RunView } from './handle.js';
import type { Run } from '../run-state/run.js';
import type { RunDetail } from './live-views.js';

/** The details of a run. Pure. */
export function runDetail(run: Run, view: RunView, now: number): RunDetail {
  const { task, facts, submission, stages } = run;
  const { name, queue, redelivered, eta, expires } = task;
  const until = run.finishedAt ?? now;
  return {
    run: view,
    at: now,
    timeline: stages.map(({ stage, at }, index) => ({
      stage,
      at,
      ms: Math.max(0, (stages[index + 1]?.at ?? until) - at),
    })),
    task: { name, queue, redelivered, eta, expires },
    sbatch: submission?.lines?.sbatch ?? null,
    container: submission?.lines?.container ?? null,
    inputs: facts?.inputs ?? [],
    outputs: facts?.outputs ?? [],
    outputsDone: run.outputsDone.length,
    girderUrl: facts?.girderUrl ?? null,
    logFile: submission?.logFile ?? null,
    submittedAt: submission?.at ?? null,
    end: describeJobEnd(run.end),
    requested: requestedBy(run),
    usage: run.end?.usage ?? null,
    canceledBy: run.cancel?.by ?? null,
    retryOf: run.retryOf,
    retriedAs: run.retry?.as ?? null,
  };
}

/** What the job of a run asked Slurm for; null before it is submitted, and without Slurm. */
export function requestedBy({ submission }: Pick<Run, 'submission'>): RequestedResources | null {
  const sbatch = submission?.lines?.sbatch ?? null;
  return sbatch === null ? null : requestedResources(sbatch);
}

function describeJobEnd(end: Run['end']): string | null {
  if (end === null) return null;
  const code = end.exitCode;
  return [
    end.state.base === '' ? 'unknown' : stateText(end.state),
    ...(code === null ? [] : [`exit code ${code.code}`]),
    ...(code === null || code.signal === 0 ? [] : [`signal ${code.signal}`]),
    ...(end.reason === '' || end.reason === 'None' ? [] : [end.reason]),
    `according to ${end.toldBy === 'host' ? 'this host' : end.toldBy}`,
  ].join(', ');
}
