import { errorLine } from '../../base/errors.js';
import { jobIdWithTasks } from '../../slurm/array-rest.js';
import { changeCommand, type JobChange } from '../../slurm/commands/change-jobs.js';
import { isJobId } from '../../slurm/commands/values.js';
import type { WorkerAction } from './action.js';
import type { RunStore } from '../run-state/run-store.js';
import type { Executor } from '../executor/executor.js';
import { createMessageBuilder, type MessageBuilder } from '../reporting/result-message.js';
import type { CommandAnswer } from '../views/handle.js';
import type { FinishedRunActions } from './finished-run-actions.js';
import type { CancelSource, Run } from '../run-state/run.js';
import type { Adoptions } from './adopt.js';
import type { Tracker } from '../../slurm/tracker.js';

export interface ActionsOptions {
  runStore: RunStore;
  executor: Executor;
  requestCancel: (id: string, by: CancelSource) => Promise<boolean>;
  /** Actions on finished runs. */
  past: FinishedRunActions;
  /** Recovers the runs of orphans. */
  adoptions: Adoptions;
  /** Setting `slurm.othersJobs`. */
  othersJobs: boolean;
}

/** Maximum number of ids in a message; there may be thousands. */
const shownIds = 6;

/** Creates a function that performs an operator's action. It never throws: errors are in its answer. */
export function createActions(tools: ActionsOptions): (action: WorkerAction) => Promise<CommandAnswer> {
  const { runStore, executor, requestCancel } = tools;

  /** Finds the runs with a live job. Reports the others, or cancels them if that is the action. */
  async function runsWithJobs(action: WorkerAction, words: MessageBuilder): Promise<Run[]> {
    const found: Run[] = [];
    const canceled: Promise<boolean>[] = [];
    for (const id of new Set(action.runs)) {
      const run = runStore.get(id);
      if (run === undefined) words.addError(`There is no run ${id}.`);
      else if (run.stage === 'finished' || run.outcome !== null)
        words.addError(`Run ${id} has ended already.`);
      else if (run.jobId !== null && run.end === null) found.push(run);
      else if (action.kind !== 'cancel') {
        words.addError(run.jobId === null ? `Run ${id} has no job yet.` : `The job of run ${id} has ended.`);
      } else {
        canceled.push(requestCancel(id, 'operator'));
        words.add(
          run.jobId === null
            ? `Run ${id} will be canceled before it gets a job.`
            : `Run ${id} will be canceled; its job has ended already.`,
        );
      }
    }
    await Promise.all(canceled);
    return found;
  }

  async function act(action: WorkerAction): Promise<CommandAnswer> {
    if (action.kind === 'retry' || action.kind === 'forget') {
      if (action.jobs.length > 0)
        return { ok: false, message: 'Only runs can be run again or forgotten, not jobs.' };
      return tools.past[action.kind](action.runs);
    }
    const words = createMessageBuilder();
    if (action.kind === 'adopt') {
      if (action.runs.length > 0)
        words.addError('Only Slurm jobs that belong to no run can be adopted, not runs.');
      await adoptJobs(action.jobs, tools, words);
      return words.answer();
    }
    const runs = await runsWithJobs(action, words);
    const recovered = action.kind === 'cancel' ? await recoverOrphans(action.jobs, tools, words) : [];
    runs.push(...recovered);
    const ofRuns = new Set(runs.map(({ jobId }) => jobId));
    const others = await allowedJobs(
      action.jobs.filter((id) => !ofRuns.has(id)),
      tools,
      words,
    );
    const ids = [...new Set([...runs.map(({ jobId }) => jobId ?? ''), ...others])];
    if (ids.length > 0) {
      const change = changeOf(action);
      const answer = await (change === null ? executor.cancel(ids) : executor.change(change, ids));
      // runs are marked as canceled only if scancel succeeded; otherwise the operator sees its error
      if (action.kind === 'cancel' && answer.ok) {
        // side by side: the journal writes them together, instead of syncing its file for each of thousands
        await Promise.all(runs.map(async ({ id }) => requestCancel(id, 'operator')));
      }
      executor.tracker.pollSoon();
      const done = `${change === null ? `${executor.cancelCommand} ${listed(ids)}` : commandLine(change, ids)}: done`;
      if (answer.ok) words.add(answer.message === '' ? done : answer.message);
      else words.addError(answer.message);
    }
    return words.answer();
  }

  return async (action) => {
    try {
      return await act(action);
    } catch (error) {
      // for example an invalid value, or the worker is stopping
      return { ok: false, message: errorLine(error) };
    }
  };
}

/** Filters job ids: only jobs of this user are allowed, unless `slurm.othersJobs` is set. */
async function allowedJobs(
  wanted: readonly string[],
  { runStore, executor: { tracker }, othersJobs }: ActionsOptions,
  words: MessageBuilder,
): Promise<string[]> {
  const ids = wanted.filter(isJobId);
  if (ids.length < wanted.length) words.addError(`${wanted.length - ids.length} of the ids are not job ids.`);
  if (othersJobs || ids.length === 0) return ids;
  const unknownJobs = (): string[] => {
    const own = new Set(tracker.view().rows.map(({ id }) => numberOf(id)));
    for (const { jobId } of runStore.all()) if (jobId !== null) own.add(numberOf(jobId));
    return ids.filter((id) => !own.has(numberOf(id)));
  };
  // the last answer may be older than a job
  if (unknownJobs().length > 0) await nextAnswer(tracker);
  const left = unknownJobs();
  if (left.length === 0) return ids;
  const { problem } = tracker.view();
  words.addError(
    problem === null
      ? `Not a job of this user: ${listed(left)}. The setting slurm.othersJobs allows actions on them.`
      : `The owner of these jobs is unknown, ${listed(left)}: ${problem}`,
  );
  const refused = new Set(left);
  return ids.filter((id) => !refused.has(id));
}

/** Waits for the next answer of Slurm; returns immediately while Slurm does not answer. */
async function nextAnswer(tracker: Tracker): Promise<void> {
  if (tracker.view().problem !== null) return;
  await new Promise<void>((resolve) => {
    const stop = tracker.onAnswer(() => {
      stop();
      resolve();
    });
    tracker.pollSoon();
  });
}

/** What adopting needs of {@link ActionsOptions}. */
export interface AdoptionOptions {
  adoptions: Adoptions;
  executor: Pick<Executor, 'tracker' | 'cancelCommand' | 'name'>;
}

/** Recovers the runs of orphans, and reports the result for each. The tracker must have started. */
export async function adoptJobs(
  jobIds: readonly string[],
  { adoptions, executor: { tracker, cancelCommand, name } }: AdoptionOptions,
  words: MessageBuilder,
): Promise<void> {
  const ids = [...new Set(jobIds)];
  if (adoptions.orphansAmong(ids).length < ids.length) await nextAnswer(tracker);
  const orphans = new Map(adoptions.orphansAmong(ids).map((row) => [row.id, row]));
  const { problem } = tracker.view();
  for (const id of ids) {
    const orphan = orphans.get(id);
    if (orphan === undefined) {
      words.addError(
        problem === null
          ? `Job ${id} is not adopted: it is not a live job of this worker, or it belongs to a run.`
          : `Job ${id} is not adopted: ${name} does not answer: ${problem}`,
      );
      continue;
    }
    const adoption = await adoptions.adopt(orphan);
    if (adoption.kind === 'adopted')
      words.add(`Job ${id} belongs to run ${adoption.run.id} again (message from ${adoption.file}).`);
    else
      words.addError(
        `Job ${id} cannot be adopted, because ${adoption.why}. Cancel it (dsa-slurm runs cancel ${id}, or ${cancelCommand} ${id}).`,
      );
  }
}

/** Recovers the runs of orphans that are to be canceled where possible, so that this can be reported to Girder. */
export async function recoverOrphans(
  jobIds: readonly string[],
  { adoptions }: Pick<AdoptionOptions, 'adoptions'>,
  words: MessageBuilder,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (const orphan of adoptions.orphansAmong(jobIds)) {
    const adoption = await adoptions.adopt(orphan);
    if (adoption.kind === 'adopted') {
      runs.push(adoption.run);
      words.add(
        `Job ${orphan.id} belongs to run ${adoption.run.id}; its cancellation is reported to Girder.`,
      );
    } else {
      words.add(
        `The cancellation of job ${orphan.id} cannot be reported to Girder, because ${adoption.why}. Its task is ${orphan.key ?? ''}.`,
      );
    }
  }
  return runs;
}

/** The number of a job without array index and component: these have the same owner. */
function numberOf(jobId: string): string {
  return jobId.replace(/[_+].*$/, '');
}

function changeOf(action: Exclude<WorkerAction, { kind: 'retry' | 'forget' | 'adopt' }>): JobChange | null {
  switch (action.kind) {
    case 'cancel':
      return null;
    case 'signal':
      return { kind: action.kind, signal: action.signal };
    case 'hold':
    case 'release':
    case 'requeue':
      return { kind: action.kind };
    case 'timeLimit':
      return { kind: action.kind, limit: action.limit };
    case 'priority':
      return { kind: action.kind, priority: action.priority };
    case 'nice':
      return { kind: action.kind, nice: action.nice };
  }
}

function commandLine(change: JobChange, ids: readonly string[]): string {
  const { file, args } = changeCommand(change, ['JOBS']);
  return [file, ...args].join(' ').replace('JOBS', listed(ids));
}

function listed(ids: readonly string[]): string {
  const more = ids.length - shownIds;
  return `${ids.slice(0, shownIds).map(jobIdWithTasks).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
