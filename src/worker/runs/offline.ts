import type { Clock } from '../../base/clock.js';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { createReleasers } from '../../base/releasers.js';
import type { Settings } from '../../config/schema.js';
import { createMessageBuilder, type MessageBuilder } from '../reporting/result-message.js';
import type { RunStore } from '../run-state/run-store.js';
import { openCluster } from '../executor/open-cluster.js';
import type { Executor } from '../executor/executor.js';
import { girderAddresses } from '../reporting/girder-addresses.js';
import type { CommandAnswer } from '../views/handle.js';
import { createGirderJobSearch } from '../reporting/girder-job-search.js';
import { openState } from '../run-state/open-state.js';
import { createFinishedRunActions } from '../actions/finished-run-actions.js';
import { adoptJobs, recoverOrphans } from '../actions/actions.js';
import { createAdoptions, type Adoptions } from '../actions/adopt.js';
import { createRunRetries } from '../actions/retry.js';
import type { Run } from '../run-state/run.js';

/** Actions on runs while no worker runs. The next worker continues from the journal. */
export interface OfflineRuns {
  /** @param jobs ids of Slurm jobs that belong to no run */
  cancel(ids: readonly string[], jobs: readonly string[]): Promise<CommandAnswer>;
  adopt(ids: readonly string[], jobs: readonly string[]): Promise<CommandAnswer>;
  retry(ids: readonly string[]): Promise<CommandAnswer>;
  forget(ids: readonly string[]): Promise<CommandAnswer>;
  close(): Promise<void>;
}

export interface OfflineOptions {
  settings: Settings;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  log: Log;
}

/**
 * Locks the state directory in place of a worker.
 * @throws DsaSlurmError `busy` with the process that holds the lock; `files` if the journal cannot be read or written
 */
export async function openOffline({ settings, env, clock, log }: OfflineOptions): Promise<OfflineRuns> {
  const stop = new AbortController();
  const releasers = createReleasers(log);
  const close = async (): Promise<void> => {
    stop.abort();
    return releasers.release();
  };
  try {
    const { connections, runStore, messages, audit } = await openState({
      settings,
      by: 'runs',
      onLost: (reason) => stop.abort(reason),
      releasers,
      stopping: stop.signal,
      clock,
      log,
    }).catch((error: unknown) => {
      if (!(error instanceof DsaSlurmError) || error.code !== 'worker') throw error;
      throw new DsaSlurmError('busy', error.message, {
        next: 'That process cannot be reached through its socket: use its console, or stop it first.',
        cause: error,
      });
    });
    const { executor } = openCluster({
      settings,
      env,
      // this process does not stay for a second signal
      cancelSignal: null,
      onStart: audit.begin,
      onCommand: audit.note,
      clock,
      log,
    });
    const retries = createRunRetries({
      runStore,
      messages,
      girderSetup: ({ headers }) => ({
        connections,
        apiUrlMap: girderAddresses(settings.girder, headers),
        clock,
        log,
      }),
      searchGirderJob: createGirderJobSearch({ connections, clock, log, girder: settings.girder }),
      limit: settings.worker.inFlight,
      // the next worker starts it
      onRun: () => undefined,
      clock,
      log,
      stopping: stop.signal,
    });
    const adoptions = createAdoptions({
      tracker: executor.tracker,
      runStore,
      stateDirectory: settings.dirs.state,
      // the next worker follows it
      onRun: () => undefined,
      clock,
      log,
    });
    /** Orphans are found among the live jobs, which the worker alone polls otherwise. */
    const pollJobs = async (): Promise<void> => {
      const answered = new Promise<void>((resolve) => void executor.tracker.onAnswer(() => resolve()));
      executor.tracker.start();
      releasers.add('the poll of jobs', async () => executor.tracker.stop());
      await answered;
    };
    return {
      ...createFinishedRunActions({ runStore, messages, retries }),
      async adopt(ids, jobs) {
        const words = createMessageBuilder();
        if (ids.length > 0) words.addError('Only Slurm jobs that belong to no run can be adopted, not runs.');
        await pollJobs();
        await adoptJobs(jobs, { adoptions, executor }, words);
        return words.answer();
      },
      async cancel(ids, jobs) {
        const words = createMessageBuilder();
        if (jobs.length > 0) {
          await pollJobs();
          await cancelOrphans(jobs, { adoptions, executor, runStore }, words);
        }
        for (const id of new Set(ids)) {
          const found = runStore.get(id);
          if (found === undefined) words.addError(`There is no run ${id}.`);
          else if (found.outcome !== null) words.addError(`Run ${id} has ended already.`);
          else {
            // recorded first, so that the next worker cancels the job if scancel fails now
            await runStore.record(id, { type: 'cancel-requested', by: 'operator' });
            await endJob(found, executor, words);
          }
        }
        return words.answer();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Cancels jobs that belong to no run. Where the run can be recovered, the next worker reports its end to Girder. */
async function cancelOrphans(
  jobs: readonly string[],
  { adoptions, executor, runStore }: { adoptions: Adoptions; executor: Executor; runStore: RunStore },
  words: MessageBuilder,
): Promise<void> {
  const orphans = adoptions.orphansAmong(jobs).map(({ id }) => id);
  for (const id of jobs.filter((job) => !orphans.includes(job))) {
    const { problem } = executor.tracker.view();
    words.addError(
      problem === null
        ? `Job ${id} is not canceled: it is not a live job of this worker.`
        : `Job ${id} is not canceled: ${executor.name} does not answer: ${problem}`,
    );
  }
  for (const { id } of await recoverOrphans(orphans, { adoptions }, words))
    await runStore.record(id, { type: 'cancel-requested', by: 'operator' });
  if (orphans.length === 0) return;
  const answer = await executor
    .cancel(orphans)
    .catch((error: unknown) => ({ ok: false, message: errorLine(error) }));
  if (answer.ok) words.add(`Canceled: ${executor.jobNoun} ${orphans.join(', ')}.`);
  else words.addError(`Not canceled: ${executor.jobNoun} ${orphans.join(', ')}: ${answer.message}`);
}

/**
 * Cancels the job of a run. It is searched for by the run's key, because the job id in the journal can be missing or, after a long
 * time without a worker, belong to another job.
 */
async function endJob(
  { id, submission, end }: Run,
  executor: Executor,
  words: MessageBuilder,
): Promise<void> {
  const announced = `Run ${id} will end as canceled when the worker starts`;
  if (submission === null || end !== null) return words.add(`${announced}.`);
  const { key, mark, at } = submission;
  const found = await executor.find({ key, mark, since: at });
  if (found.kind === 'silence')
    return words.addError(`${announced}; its ${executor.jobNoun} continues until then: ${found.why}`);
  if (found.kind === 'none') return words.add(`${announced}; it no longer has a ${executor.jobNoun}.`);
  const jobs = [found.jobId, ...found.others];
  const answer = await executor
    .cancel(jobs)
    .catch((error: unknown) => ({ ok: false, message: errorLine(error) }));
  const named = `${executor.jobNoun} ${jobs.join(', ')}`;
  if (answer.ok) words.add(`${announced}; its ${named} is canceled.`);
  else words.addError(`${announced}; its ${named} is not canceled yet: ${answer.message}`);
}
