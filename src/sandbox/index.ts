import { rm } from 'node:fs/promises';
import { fillGirder, planBatch, type DemoCase } from './batch.js';
import { followBatch, type Follower } from './follow.js';
import { resultJson, resultTable } from './report.js';
import { emptyDirectory, listenForEnd, releaseAll, type Releaser } from './releasers.js';
import { startSite, type PracticeSite } from './site.js';
import { verifyCase, type Verdict } from './verify.js';
import type { WorkerHandle } from '../worker/handle.js';

export interface SandboxOptions {
  /** Where everything is put: a directory that is not there yet, or empty. Default: a new temporary one. */
  dir?: string;
  /** Leave the directory there afterwards. */
  keep: boolean;
  /** Demo analyses to publish. */
  count: number;
  /** Open the console; standard input and output are terminals. */
  console: boolean;
  /** Print the result as JSON on standard output, and progress on standard error. */
  json: boolean;
  env: Readonly<Record<string, string | undefined>>;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  /** Stops everything, as Ctrl-C does. */
  signal?: AbortSignal;
  /** Another program has the terminal, or no longer: meanwhile Ctrl-C is for that one. */
  onLent?: (lent: boolean) => void;
}

/**
 * A whole practice site for one batch of demo analyses: starts it, publishes, watches, verifies, and stops everything
 * again, whatever happens.
 * @returns the exit code: 0 if every run ended as it should, 1 if not, 130 if it was stopped.
 * @throws DsaSlurmError `sandbox` if it cannot be started; everything is stopped by then
 */
export async function runSandbox(options: SandboxOptions): Promise<number> {
  const { stdout, stderr, json, keep, signal } = options;
  const say = (line: string) => void (json ? stderr : stdout).write(`${line}\n`);
  const stop = new AbortController();
  const releasers: Releaser[] = [];
  const dir = await emptyDirectory(options.dir);
  releasers.push({
    async stop() {
      if (keep) say(`Everything is kept in ${dir}`);
      else await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  });
  let isLent = false;
  const unlisten = listenForEnd(stop, releasers, signal, () => isLent);
  const onLent = (lent: boolean): void => {
    isLent = lent;
    options.onLent?.(lent);
  };
  const started = performance.now();
  try {
    say(`A practice site is being made in ${dir}`);
    const site = await startSite({
      dir,
      env: options.env,
      say,
      onStarted: (releaser) => releasers.push(releaser),
      signal: stop.signal,
    });
    say(`It took ${seconds(started)} s to start.`);
    const verdicts = await runBatch(site, { ...options, onLent }, say, stop.signal);
    const wrong = verdicts.filter(({ problems }) => problems.length > 0).length;
    const facts = { seconds: Number(seconds(started)), standIns: site.standIns };
    stdout.write(json ? resultJson(verdicts, facts) : `\n${resultTable(verdicts)}\n`);
    say(
      wrong === 0
        ? `All ${verdicts.length} runs ended as they should, after ${seconds(started)} s.`
        : `${wrong} of ${verdicts.length} runs did not end as they should.`,
    );
    return wrong === 0 ? 0 : 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    say('Stopped.');
    return 130;
  } finally {
    await releaseAll(releasers, say);
    unlisten();
  }
}

async function runBatch(
  site: PracticeSite,
  options: SandboxOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Verdict[]> {
  const { girder, producer, worker } = site;
  const { cases, messages } = await fillGirder(girder, planBatch(options.count));
  let quiet = options.console;
  const follower = followBatch({
    handle: worker.handle,
    girder,
    cases,
    onCounts: (text) => {
      if (!quiet) say(`  ${text}`);
    },
    signal,
    timeoutMs: 120_000 + 3_000 * options.count,
  });
  // Awaited below; until then its rejection must not go unheard.
  follower.done.catch(() => undefined);
  try {
    say(`${messages.length} demo analyses are being published.`);
    await producer.publish(messages);
    const canceledHere = new Set<string>();
    if (options.console) {
      await showConsole(site, options, canceledHere, signal);
      quiet = false;
      if (!(await isOver(follower))) say('Some runs are still going. Ctrl-C stops everything.');
    }
    await follower.done;
    return await Promise.all(cases.map((demo) => verdictOf(site, follower, withCancel(demo, canceledHere))));
  } finally {
    follower.stop();
  }
}

function verdictOf({ girder }: PracticeSite, follower: Follower, demo: DemoCase): Promise<Verdict> {
  const run = follower.runOf(demo);
  return verifyCase(girder, demo, {
    outcome: run?.outcome ?? null,
    slurmJobId: run?.jobId ?? null,
    slurmState: follower.jobOf(demo)?.state.base ?? '',
  });
}

/** @param canceledHere is told which runs were canceled at the console */
async function showConsole(
  { worker, settings, env: workerEnv, title }: PracticeSite,
  { env, onLent }: SandboxOptions,
  canceledHere: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  const { runConsole } = await import('../console/index.js');
  const handle: WorkerHandle = {
    ...worker.handle,
    async act(action) {
      const answer = await worker.handle.act(action);
      if (answer.ok && action.kind === 'cancel') for (const id of action.runs) canceledHere.add(id);
      return answer;
    },
  };
  await runConsole({
    handle,
    title,
    async doctor() {
      const { createRunContext } = await import('../doctor/index.js');
      const { createExaminer } = await import('../doctor/examiner.js');
      return createExaminer(createRunContext({ profile: 'practice', settings, env: workerEnv }));
    },
    env,
    ...(onLent === undefined ? {} : { onLent }),
    // the batch is seen to its end without a screen
    afterwards: 'goesOn',
    signal,
  });
}

/** Who tries the cancel key makes a run end otherwise than planned, and as it should. */
function withCancel(demo: DemoCase, canceledHere: ReadonlySet<string>): DemoCase {
  if (!canceledHere.has(demo.taskId) || demo.expected === 'canceled') return demo;
  return { ...demo, expected: 'canceled', canceledHere: true };
}

async function isOver(follower: Follower): Promise<boolean> {
  const pending = Symbol('pending');
  const first = await Promise.race([follower.done, Promise.resolve(pending)]);
  return first !== pending;
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(1);
}
