import { rmSync } from 'node:fs';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fillGirder, planBatch, type DemoCase } from './batch.js';
import { sandboxDirectory } from './directory.js';
import { followBatch, type Follower } from './follow.js';
import { nextSteps } from './next-steps.js';
import { resultJson, resultTable, summary } from './report.js';
import { listenForEnd, releaseAll, type Releaser } from './releasers.js';
import type { GirderMajor } from './real-girder/install.js';
import type { RealGirderSandbox } from './real-girder/site.js';
import { startSandbox, type Sandbox } from './site.js';
import { verifyCase, type CaseVerdict } from './verify.js';
import type { ConsoleOptions } from '../console/index.js';
import type { WorkerHandle } from '../worker/views/handle.js';

export interface SandboxOptions {
  /** Directory of the sandbox: empty, or not existing yet. Default: a new temporary one. */
  dir?: string;
  /** Keep the directory afterwards. */
  keep: boolean;
  /** Demo analyses to publish. */
  count: number;
  /** Start a real Girder of this major version instead of the fake; publish nothing, and run until stopped. */
  girder?: GirderMajor;
  /** Open the console; standard input and output are terminals. */
  console: boolean;
  /** Print the result as JSON on standard output, and progress on standard error. */
  json: boolean;
  env: Readonly<Record<string, string | undefined>>;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  /** Stops everything, as Ctrl-C does. */
  signal?: AbortSignal;
  /** Called when another program takes the terminal, and when it returns it; meanwhile Ctrl-C is for that program. */
  onLent?: (lent: boolean) => void;
}

/**
 * Runs one batch of demo analyses in a new sandbox: starts it, publishes, watches, verifies, and always stops everything
 * again.
 * @returns the exit code: 0 if every run ended as planned, 1 if not, 130 if it was stopped.
 * @throws DsaSlurmError `sandbox` if it cannot be started; everything is stopped by then
 */
export async function runSandbox(options: SandboxOptions): Promise<number> {
  const { stdout, stderr, json, keep, signal } = options;
  const say = (line: string) => void (json ? stderr : stdout).write(`${line}\n`);
  const stop = new AbortController();
  const releasers: Releaser[] = [];
  const dir = await sandboxDirectory(options.dir);
  releasers.push({
    async stop() {
      if (keep) say(`Everything is kept in ${dir}`);
      else await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    },
    killNow() {
      if (!keep) rmSync(dir, { recursive: true, force: true });
    },
  });
  let isLent = false;
  const unlisten = listenForEnd(stop, releasers, signal, () => isLent);
  const onLent = (lent: boolean): void => {
    isLent = lent;
    options.onLent?.(lent);
  };
  let isReleased = false;
  const stopServices = async (): Promise<void> => {
    if (isReleased) return;
    isReleased = true;
    if (releasers.length > 1) say('Stopping the services …');
    await releaseAll(releasers, say);
  };
  const started = performance.now();
  try {
    say(`Creating the sandbox in ${dir}`);
    if (options.girder !== undefined) {
      const { startRealGirderSandbox } = await import('./real-girder/site.js');
      const real = await startRealGirderSandbox({
        dir,
        env: options.env,
        say,
        onStarted: (releaser) => releasers.push(releaser),
        signal: stop.signal,
        major: options.girder,
      });
      await showRealGirder(real, { ...options, onLent }, say, stop.signal);
      await stopServices();
      return 0;
    }
    const site = await startSandbox({
      dir,
      env: options.env,
      say,
      onStarted: (releaser) => releasers.push(releaser),
      signal: stop.signal,
    });
    const startSeconds = (performance.now() - started) / 1_000;
    say(`The sandbox is up after ${startSeconds.toFixed(1)} s.`);
    const { verdicts, seconds } = await runBatch(site, { ...options, onLent }, say, stop.signal);
    const facts = { seconds: rounded(seconds), startSeconds: rounded(startSeconds), standIns: site.notices };
    stdout.write(json ? resultJson(verdicts, facts) : `\n${resultTable(verdicts)}\n`);
    say(summary(verdicts, seconds));
    await stopServices();
    if (!json) say(`\n${await nextSteps(options.env)}`);
    return verdicts.every(({ problems }) => problems.length === 0) ? 0 : 1;
  } catch (error) {
    await stopServices();
    if (!stop.signal.aborted) throw error;
    say('Stopped.');
    return 130;
  } finally {
    unlisten();
  }
}

/** Results of a batch. */
interface BatchResult {
  verdicts: CaseVerdict[];
  /** From the first message to the end of the last run. */
  seconds: number;
}

/** Prints Girder's address, and waits until the operator quits the console or presses Ctrl-C. */
async function showRealGirder(
  site: RealGirderSandbox,
  options: SandboxOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { url, apiUrl, passwords, hasPage } = site.girder;
  if (options.json) options.stdout.write(`${JSON.stringify({ url, apiUrl, passwords })}\n`);
  say(hasPage ? `Girder is at ${url}` : `Girder's REST API is at ${apiUrl}; it has no web page here.`);
  say(`Log in as pathologist with ${passwords.pathologist}, or as admin with ${passwords.admin}.`);
  say('The demo analysis is in the collection Tasks; slides are in the pathologist’s folder Private.');
  if (options.console) await showConsole(site, options, signal);
  else {
    say('Ctrl-C stops everything.');
    if (!signal.aborted) await once(signal, 'abort');
  }
}

async function runBatch(
  site: Sandbox,
  options: SandboxOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<BatchResult> {
  const { girder, producer, worker } = site;
  const { cases, messages } = await fillGirder(girder, planBatch(options.count));
  let quiet = options.console;
  say(`Publishing ${messages.length} demo ${messages.length === 1 ? 'analysis' : 'analyses'} …`);
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
  const canceledHere = new Set<string>();
  const examine = async (): Promise<BatchResult> => {
    const seconds = await follower.done;
    const verdicts = await Promise.all(
      cases.map((demo) => verdictOf(site, follower, withCancel(demo, canceledHere))),
    );
    return { verdicts, seconds };
  };
  const result = examine();
  // Awaited below; this prevents an unhandled rejection until then.
  result.catch(() => undefined);
  try {
    await producer.publish(messages);
    if (options.console) {
      await showBatch(site, options, { canceledHere, result, signal });
      quiet = false;
      if (!(await isOver(result))) say('Some analyses are still running. Ctrl-C stops everything.');
    }
    return await result;
  } finally {
    follower.stop();
  }
}

function verdictOf(
  { girder, hidesHostPaths }: Sandbox,
  follower: Follower,
  demo: DemoCase,
): Promise<CaseVerdict> {
  const run = follower.runOf(demo);
  const seen = {
    outcome: run?.outcome ?? null,
    slurmJobId: run?.jobId ?? null,
    slurmState: follower.jobOf(demo)?.state.base ?? '',
  };
  return verifyCase(girder, demo, seen, hidesHostPaths);
}

interface Batch {
  /** Collects the runs that were canceled in the console. */
  canceledHere: Set<string>;
  result: Promise<BatchResult>;
  signal: AbortSignal;
}

async function showBatch(
  site: Sandbox,
  options: SandboxOptions,
  { canceledHere, result, signal }: Batch,
): Promise<void> {
  const { worker } = site;
  const handle: WorkerHandle = {
    ...worker.handle,
    async act(action) {
      const answer = await worker.handle.act(action);
      if (answer.ok && action.kind === 'cancel') for (const id of action.runs) canceledHere.add(id);
      return answer;
    },
  };
  const notice = result.then(({ verdicts, seconds }) => ({
    title: 'sandbox: batch over, q for the results',
    message: `${summary(verdicts, seconds)} Look around as long as you like; q shows the results and what to do next.`,
  }));
  await showConsole(site, options, signal, { handle, notice });
}

/** @param more options for a batch: a handle that records cancels, and a notice at its end */
async function showConsole(
  { worker, settings, env: workerEnv, title }: Pick<Sandbox, 'worker' | 'settings' | 'env' | 'title'>,
  { env, onLent }: SandboxOptions,
  signal: AbortSignal,
  more: Partial<Pick<ConsoleOptions, 'handle' | 'notice'>> = {},
): Promise<void> {
  const { runConsole } = await import('../console/index.js');
  await runConsole({
    handle: worker.handle,
    title,
    ...more,
    async doctor() {
      const { createRunContext } = await import('../doctor/index.js');
      const { createCheckSession: createExaminer } = await import('../doctor/check-session.js');
      return createExaminer(createRunContext({ profile: 'sandbox', settings, env: workerEnv }));
    },
    env,
    ...(onLent === undefined ? {} : { onSuspended: onLent }),
    // the batch continues after the console is closed
    workerLifetime: 'continues',
    signal,
  });
}

/** A run that the operator canceled in the console is expected to end as canceled. */
function withCancel(demo: DemoCase, canceledHere: ReadonlySet<string>): DemoCase {
  if (!canceledHere.has(demo.taskId) || demo.expected === 'canceled') return demo;
  return { ...demo, expected: 'canceled', canceledHere: true };
}

async function isOver(result: Promise<BatchResult>): Promise<boolean> {
  const pending = Symbol('pending');
  const first = await Promise.race([result, Promise.resolve(pending)]);
  return first !== pending;
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(1));
}
