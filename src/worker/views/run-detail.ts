import { stateText } from '../../slurm/states.js';
import { requestedBy } from '../run-state/requested-by.js';
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
