import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { jobStatus } from '../../src/sandbox/fake-girder/rules.js';
import { sandboxDirectory } from '../../src/sandbox/directory.js';
import { listenForEnd, releaseAll, type Releaser } from '../../src/sandbox/releasers.js';
import { openBatch, type ChaosBatch, type ChaosRun } from './batch.js';
import { createFaults, type Faults } from './faults.js';
import { createRandom } from './random.js';
import {
  allJobs,
  findLeftovers,
  jobNameOf,
  keepEvents,
  unfinishedRuns,
  watchJobs,
  type SeenJobs,
} from './leftovers.js';
import { startChaosWorker, type ChaosWorker } from './worker-process.js';
import { planChaos, type ChaosPlan, type PlannedWorker } from './plan.js';
import { anyTime, isClean, killName, planLine, reportJson, reportTable, type ChaosReport } from './report.js';
import { startChaosSite, type ChaosSite } from './site.js';
import { judgeRun, readOutputs, type Problem } from './verify.js';

export interface ChaosOptions {
  seed: number;
  kills: number;
  runs: number;
  /** Print the report as JSON on standard output, and progress on standard error. */
  json: boolean;
  env: Readonly<Record<string, string | undefined>>;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
}

/** Published runs that may be unfinished at a time: enough to have some in every stage. */
const atOnce = 12;
/**
 * A worker that has not reached its journal step is killed this long after it began to take tasks: twice the time that its
 * start took, which reflects how busy the machine is, within these limits.
 */
const lifeMs = { least: 6_000, most: 20_000 };
/**
 * The least for a worker whose predecessor has not reached its step: long enough to find out about submissions whose answer was
 * lost. On a fast machine all open runs would wait for that, and no worker would live to see it.
 */
const patientLifeMs = 16_000;
/** The same, counted from its start, for a worker that takes no tasks because the broker is down. */
const longestStartMs = 40_000;
/** Delay between taking tasks and being suspended. */
const suspendAfterMs = 1_000;
/** After the last fault: give up when no run has ended for this long. */
const settleMs = 300_000;

/**
 * Injects faults into a batch of real Slurm jobs, waits until all runs have ended, and compares the result with what is
 * expected. The directory is kept if anything is wrong.
 * @returns the exit code: 0 if nothing was lost, doubled or wrong, 1 otherwise; 130 if it was stopped
 */
export async function runChaos(options: ChaosOptions): Promise<number> {
  const { stdout, stderr, json, seed, kills, runs } = options;
  const say = (line: string): void => void (json ? stderr : stdout).write(`${line}\n`);
  const plan = planChaos({ seed, kills, runs });
  const stop = new AbortController();
  const releasers: Releaser[] = [];
  const dir = await sandboxDirectory(undefined);
  let keep = true;
  releasers.push({
    async stop() {
      if (keep) say(`Seed ${seed}. Everything is kept in ${dir}`);
      else await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  });
  const unlisten = listenForEnd(stop, releasers, undefined);
  try {
    say(planLine(plan));
    const onStarted = (releaser: Releaser): void => void releasers.push(releaser);
    const site = await startChaosSite({ dir, env: options.env, say, onStarted, signal: stop.signal });
    const report = await unleash(site, plan, { say, onStarted, signal: stop.signal });
    stdout.write(json ? `${reportJson(report)}\n` : `\n${reportTable(report)}\n`);
    keep = !isClean(report);
    return keep ? 1 : 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    say('Stopped.');
    return 130;
  } finally {
    await releaseAll(releasers, say);
    unlisten();
  }
}

interface Stage {
  say: (line: string) => void;
  onStarted: (releaser: Releaser) => void;
  signal: AbortSignal;
}

async function unleash(
  site: ChaosSite,
  plan: ChaosPlan,
  { say, onStarted, signal }: Stage,
): Promise<ChaosReport> {
  const began = performance.now();
  const batch = openBatch(site, plan.runs);
  const faults = createFaults(site, plan.seed);
  // as slicer_cli_web does with the jobs of half its tasks on a busy server
  const late = createRandom(plan.seed + 1);
  site.girder.saveLate(() => (late.percent(50) ? late.int(20, 400) : null));
  const seen = watchJobs(site);
  let worker: ChaosWorker | null = null;
  /** The standby worker, which takes over next. */
  let successor: ChaosWorker | null = null;
  onStarted({
    async stop() {
      batch.stop();
      for (const each of [worker, successor]) {
        each?.signal('SIGKILL');
        await each?.ended;
      }
      await faults.stop();
      await seen.stop();
    },
    killNow: () => [worker, successor].forEach((each) => each?.signal('SIGKILL')),
  });
  const successions = new Map<string, number>();
  const kills = new Map<string, number>();
  const starts: number[] = [];
  const problems: ChaosReport['problems'][number][] = [];
  const noteStart = async (life: ChaosWorker): Promise<void> => {
    const ms = await life.startMs;
    if (ms !== null) starts.push(ms);
  };

  let isStalled = false;
  for (const [index, life] of plan.workers.entries()) {
    signal.throwIfAborted();
    // the batch lasts until the last kill
    batch.publishUpTo(Math.ceil(((index + 1) * plan.runs.length) / plan.workers.length) + atOnce, atOnce);
    const isFresh = successor === null;
    worker = successor ?? startChaosWorker(site, life.kill);
    const next = plan.workers[index + 1];
    successor =
      life.successor === 'started later' || next === undefined
        ? null
        : startChaosWorker(site, next.kill, { standby: true });
    const leastMs = isStalled ? patientLifeMs : lifeMs.least;
    const { how, planned } = await liveAndDie(worker, successor, { ...life, leastMs }, faults, batch);
    if (planned || life.kill.kind === 'line') isStalled = !planned;
    // a standby worker waited for its predecessor: not a start time
    if (isFresh) await noteStart(worker);
    if (successor !== null) {
      const what = `worker: ${life.successor}`;
      successions.set(what, (successions.get(what) ?? 0) + 1);
    }
    await keepEvents(site, index + 1);
    const name = planned ? killName(life.kill) : anyTime;
    kills.set(name, (kills.get(name) ?? 0) + 1);
    if (life.suspendedMs > 0) {
      const what = `worker: stopped for ${life.suspendedMs / 1_000} s`;
      successions.set(what, (successions.get(what) ?? 0) + 1);
    }
    // it exits with 1 when it finds that another worker took over
    if (how !== 'SIGKILL' && !(how === 1 && successor !== null)) {
      problems.push({
        run: '',
        kind: 'wrong',
        what: `worker ${index + 1} exited on its own (${how}) before it was killed`,
      });
    }
    if ((index + 1) % 10 === 0) {
      say(`  ${index + 1} kills, ${batch.runs().length} runs published, ${batch.unfinished()} of them open`);
    }
  }
  await faults.stop();
  say('  all faults are over; what is left may end now');
  worker = startChaosWorker(site, null);
  await noteStart(worker);
  await settle(site, batch, plan, signal);
  worker.signal('SIGTERM');
  const { how } = await worker.ended;
  if (how !== 0) problems.push({ run: '', kind: 'wrong', what: `the last worker ended with ${how}` });
  batch.stop();
  await seen.stop();
  problems.push(...(await judgeAll(site, seen, batch.runs())));
  return {
    seed: plan.seed,
    dir: site.dir,
    seconds: (performance.now() - began) / 1_000,
    kills,
    faults: new Map<string, number>([...faults.counts(), ...successions]),
    starts,
    runs: countRuns(site, batch.runs()),
    problems,
  };
}

async function liveAndDie(
  worker: ChaosWorker,
  successor: ChaosWorker | null,
  { kill, faults, successor: succession, suspendedMs, leastMs }: PlannedWorker & { leastMs: number },
  all: Faults,
  batch: ChaosBatch,
): Promise<Awaited<ChaosWorker['ended']>> {
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number, act: () => void): void => void timers.push(setTimeout(act, ms));
  let isStopped = false;
  const die = (): void => {
    if (successor === null || succession !== 'stands by, first one stopped' || isStopped) {
      worker.signal('SIGKILL');
      return;
    }
    isStopped = true;
    worker.signal('SIGSTOP');
    // it has taken over, or has died
    void successor.startMs.then(() => worker.signal('SIGCONT'));
    after(longestStartMs, die);
  };
  for (const fault of faults) after(fault.afterMs, () => all.begin(fault));
  after(longestStartMs + suspendedMs, die);
  if (kill.kind === 'time' && kill.since === 'start') after(kill.afterMs, die);
  const dieLater = (startMs: number | null): void => {
    if (startMs === null) return;
    const longest = Math.min(Math.max(leastMs, 2 * startMs), lifeMs.most);
    if (suspendedMs > 0) {
      after(suspendAfterMs, () => worker.signal('SIGSTOP'));
      after(suspendAfterMs + suspendedMs, () => worker.signal('SIGCONT'));
    }
    after((kill.kind === 'time' ? kill.afterMs : longest) + suspendedMs, die);
  };
  void worker.startMs.then(dieLater);
  // few runs are planned to be canceled
  const clicks =
    kill.kind === 'line' && kill.line === 'cancel-requested'
      ? setInterval(batch.cancelOne, 3_000)
      : undefined;
  const ended = await worker.ended;
  clearInterval(clicks);
  timers.forEach((timer) => clearTimeout(timer));
  return ended;
}

/** Waits until all runs have ended, or until none has ended for `settleMs`; the verdict reports the rest. */
async function settle(
  site: ChaosSite,
  batch: ChaosBatch,
  plan: ChaosPlan,
  signal: AbortSignal,
): Promise<void> {
  let last = { open: -1, since: performance.now() };
  while (performance.now() - last.since < settleMs) {
    signal.throwIfAborted();
    batch.publishUpTo(plan.runs.length, atOnce);
    const isPublished = batch.runs().length === plan.runs.length;
    const open =
      plan.runs.length - batch.runs().length + batch.unfinished() + (await unfinishedRuns(site)).length;
    if (isPublished && open === 0) break;
    if (open !== last.open) last = { open, since: performance.now() };
    await delay(500);
  }
  await batch.settled();
}

async function judgeAll(
  site: ChaosSite,
  seen: SeenJobs,
  runs: readonly ChaosRun[],
): Promise<(Problem & { run: string })[]> {
  // a run that was canceled may never have had a job
  const expected = runs.filter(({ isCanceledByUser }) => !isCanceledByUser);
  const jobs = await allJobs(site, seen, expected.map(jobNameOf));
  const problems: (Problem & { run: string })[] = [];
  for (const run of runs) {
    const girderJob = site.girder.job(run.girderJobId);
    const found = judgeRun({
      planned: run.planned,
      isCanceledByUser: run.isCanceledByUser,
      statuses: girderJob?.timestamps.map(({ status }) => status) ?? [],
      log: girderJob?.log.join('') ?? '',
      outputs: await readOutputs(site.girder, run.resultFolderId),
      jobs: jobs.get(jobNameOf(run)) ?? [],
    });
    const name = `run ${run.planned.number} (${run.taskId})`;
    problems.push(...found.map((problem) => ({ ...problem, run: name })));
  }
  const leftovers = await findLeftovers(site, seen, runs);
  return [...problems, ...leftovers.map((problem) => ({ ...problem, run: '' }))];
}

function countRuns({ girder }: ChaosSite, runs: readonly ChaosRun[]): ChaosReport['runs'] {
  const statuses = runs.map(({ girderJobId }) => girder.job(girderJobId)?.status);
  const of = (wanted: number): number => statuses.filter((status) => status === wanted).length;
  return {
    total: runs.length,
    succeeded: of(jobStatus.success),
    failed: of(jobStatus.error),
    canceled: of(jobStatus.canceled),
  };
}
