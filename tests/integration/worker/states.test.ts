import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import { stateRow } from '../../../src/slurm/states.js';
import type { RunView } from '../../../src/worker/views/handle.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';
import { startStatesSite, type StatesSite } from '../../support/states-site.js';

let site: StatesSite;
let lab: Lab;
let gates: string;

beforeAll(async () => {
  site = await startStatesSite();
  gates = join(site.dir, 'gates');
  await mkdir(gates);
  lab = await openLab(
    { 'apptainer.options': [`--bind=${gates}`], 'slurm.mem': '100M', 'slurm.time': '10' },
    { slurmConf: site.slurm.conf, ownProducer: true },
  );
});

afterAll(async () => {
  await lab.close();
  await site.slurm.stop();
  await rm(site.dir, { recursive: true, force: true });
});

interface Started {
  girderJob: GirderJob;
  /** The Slurm job. */
  id: string;
  /** Lets a waiting analysis continue. */
  open(): Promise<void>;
}

let count = 0;

/** Publishes an analysis that waits, and waits until Slurm has its job. */
async function start(partition: string, args?: string[], cpus = 1): Promise<Started> {
  const gate = join(gates, String((count += 1)));
  const girderJob = await lab.publish({
    args: [...(args ?? ['Wait', gate]), '--slurm_partition', partition, `--slurm_cpus-per-task=${cpus}`],
  });
  const { jobId } = await runOf(girderJob, (run) => run.jobId !== null);
  return { girderJob, id: jobId ?? '', open: async () => writeFile(gate, '') };
}

function runView({ id }: GirderJob): RunView | undefined {
  return lab.worker.handle.snapshot().runs.find((each) => each.girderJobId === id);
}

async function runOf(girderJob: GirderJob, is: (run: RunView) => boolean): Promise<RunView> {
  return lab.until(() => {
    const run = runView(girderJob);
    return run !== undefined && is(run) ? run : null;
  }, 60_000);
}

async function isIn(stage: RunView['stage'], { girderJob }: Started): Promise<void> {
  await runOf(girderJob, (run) => run.stage === stage);
}

/** Waits until the analysis has printed that it runs. */
async function runs(started: Started): Promise<void> {
  await isIn('running', started);
  await lab.until(() => logOf(started.girderJob).includes('tick 2'));
}

/** Waits until Slurm shows the job in this state. */
async function untilState({ id }: Started, word: string): Promise<void> {
  await lab.until(async () => (await slurm('squeue', '--states=all', `--jobs=${id}`, '-ho', '%T')) === word);
}

async function slurm(file: string, ...args: string[]): Promise<string> {
  const answer = await lab.command(file, args);
  if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
  return answer.stdout.trim();
}

/** Runs scontrol, ignoring its error if the change already happened since squeue or sinfo answered. */
async function nudge(...args: string[]): Promise<void> {
  await lab.command('scontrol', args);
}

const resumeNode = async (): Promise<void> => nudge('update', 'NodeName=n4', 'State=RESUME');

async function resumeDrainedNodes(): Promise<void> {
  const rows = (await slurm('sinfo', '-hN', '-n', 'n4,n5,n6', '-o', '%N %t'))
    .split('\n')
    .map((line) => line.split(' '));
  const drained = rows.filter(([, state = '']) => state.startsWith('dr')).map(([name = '']) => name);
  for (const name of new Set(drained)) await nudge('update', `NodeName=${name}`, 'State=RESUME');
}

/**
 * Lets a requeued job run soon. Slurm delays its start by two minutes for a reason: a node refuses a second attempt that
 * slurmctld signed before the first one was revoked, to the second, or that comes before it has cleaned up the first one.
 * slurmctld then holds the job and drains the node, where other tests have jobs.
 */
async function startsAgain(started: Started): Promise<void> {
  await lab.until(
    async () => batchScripts(started.id).length === 0 && !(await isCompleting(started)),
    60_000,
  );
  await lab.until(async () => {
    const shown = await slurm('squeue', '--states=all', `--jobs=${started.id}`, '-ho', '%S %r');
    const [, start = '', reason = ''] = /^(\S*) (.*)$/.exec(shown) ?? [];
    // refused while the first attempt completes, so again until it is released
    if (reason.includes('held')) await nudge('release', started.id);
    await resumeDrainedNodes();
    // squeue prints local time, as Date reads it; there is none for a held job
    if (new Date(start).getTime() - Date.now() > 10_000)
      await nudge('update', `JobId=${started.id}`, 'StartTime=now+2');
    return runView(started.girderJob)?.stage === 'running';
  }, 120_000);
}

/** Whether a node still cleans up an attempt of the job. */
async function isCompleting({ id }: Started): Promise<boolean> {
  return (await slurm('scontrol', '--oneliner', 'show', 'job', id)).includes('COMPLETING');
}

/** Process ids of the batch script of a job. */
function batchScripts(id: string): number[] {
  const script = `/job${id.padStart(5, '0')}/slurm_script`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(script) &&
          readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`SLURM_CONF=${site.slurm.conf}`)
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** A batch script has subshells, which may end at any time. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function logOf({ id }: GirderJob): string {
  return lab.girder.job(id)?.log.join('') ?? '';
}

function messageOf({ id }: GirderJob): string {
  return lab.girder.job(id)?.progress?.message ?? '';
}

/** Waits for what the user sees while the job is not over. */
async function says(started: Started, words: string): Promise<void> {
  await lab.until(() => messageOf(started.girderJob).includes(words), 60_000);
}

/** Waits for a failure and asserts what the user reads: the message for the state, and Slurm's facts. */
async function fails({ girderJob, id }: Started, word: string, facts: RegExp): Promise<void> {
  const job = await lab.ended(girderJob, 100_000);
  expectStatus(job, status.error);
  const log = job.log.join('');
  expect(log).toContain(stateRow(word)?.sentence);
  expect(log).toContain(`Slurm job ${id}, state ${word}`);
  expect(log).toMatch(facts);
  expectWholeLog(job);
}

async function succeeds({ girderJob }: Started): Promise<GirderJob> {
  const job = await lab.ended(girderJob, 100_000);
  expectStatus(job, status.success);
  expect(statuses(job)).toEqual([status.running, status.success]);
  expectWholeLog(job);
  return job;
}

/** Every line that each attempt of the analysis wrote, once and in order. */
function expectWholeLog(job: GirderJob): void {
  for (const attempt of job.log
    .join('')
    .split(/^waiting$/m)
    .slice(1)) {
    const ticks = [...attempt.matchAll(/^tick (\d+)$/gm)].map((match) => Number(match[1]));
    expect(ticks).toEqual(ticks.map((_, index) => index + 1));
  }
}

/** Several tests wait for Slurm more than once, each time for a minute or two at most. */
const patient = { timeout: 300_000 };

describe.concurrent('a job state of Slurm becomes an outcome and a log message:', patient, () => {
  test('COMPLETED, after COMPLETING and CONFIGURING', async () => {
    const started = await start('slow');
    await untilState(started, 'CONFIGURING');
    await isIn('queued', started);
    await says(started, stateRow('CONFIGURING')?.sentence ?? '?');
    await runs(started);
    await started.open();
    await untilState(started, 'COMPLETING');
    const log = (await succeeds(started)).log.join('');
    expect(log).toMatch(/^ticks: \d+$/m);
  });

  test('FAILED with an exit code', async () => {
    const started = await start('quiet', ['Fail']);
    // squeue adds the reason, the exit record does not, and either can be first
    await fails(
      started,
      'FAILED',
      /the slide has no tissue\n.*state FAILED, (reason NonZeroExitCode, )?exit code 3\)/s,
    );
  });

  test('FAILED by a signal', async () => {
    const started = await start('quiet');
    await runs(started);
    // scancel would make it CANCELLED
    for (const pid of batchScripts(started.id)) killIfThere(pid);
    await fails(started, 'FAILED', /signal 9/);
  });

  test('CANCELLED by another user', async () => {
    const started = await start('quiet');
    await runs(started);
    await slurm('scancel', started.id);
    const job = await lab.ended(started.girderJob);
    expectStatus(job, status.canceled);
    expect(job.log.join('')).toContain(stateRow('CANCELLED')?.sentence);
    expectWholeLog(job);
  });

  test('TIMEOUT', async () => {
    const started = await start('quiet');
    await runs(started);
    // counted from now; slurmctld checks time limits every 30 s
    await slurm('scontrol', 'update', `JobId=${started.id}`, 'TimeLimit=0');
    await fails(started, 'TIMEOUT', /reason TimeLimit/);
  });

  test('DEADLINE', async () => {
    // Slurm checks the deadline when it schedules the job
    const before = await start('full', undefined, 8);
    await isIn('running', before);
    const started = await start('full', undefined, 8);
    await slurm('scontrol', 'update', `JobId=${started.id}`, 'TimeLimit=1', 'Deadline=now+1');
    await fails(started, 'DEADLINE', /reason DeadLine/);
    await before.open();
    await succeeds(before);
  });

  test('NODE_FAIL, and back in the queue', async () => {
    const again = await start('dies');
    const over = await start('dies');
    await Promise.all([runs(again), runs(over)]);
    await slurm('scontrol', 'update', `JobId=${over.id}`, 'Requeue=0');
    const slurmd = site.slurm.daemon('slurmd-n4');
    slurmd.signal('SIGSTOP');
    try {
      await slurm('scontrol', 'update', 'NodeName=n4', 'State=DOWN', 'Reason=test');
      await fails(over, 'NODE_FAIL', /reason NodeDown/);
      await isIn('queued', again);
    } finally {
      slurmd.signal('SIGCONT');
    }
    await lab.until(async () => {
      const state = await slurm('sinfo', '-hn', 'n4', '-p', 'dies', '-o', '%t');
      // drained if slurmd got the second attempt before it had cleaned up the first one
      if (/^(drain|drng|down)/.test(state)) await resumeNode();
      return /^(idle|mix|alloc)/.test(state);
    }, 60_000);
    await startsAgain(again);
    await again.open();
    const log = (await succeeds(again)).log.join('');
    expect(log.match(/^waiting$/gm)).toHaveLength(2);
  });

  test('requeued by hand', async () => {
    const started = await start('quiet');
    await runs(started);
    await slurm('scontrol', 'requeue', started.id);
    await isIn('queued', started);
    await startsAgain(started);
    await started.open();
    const log = (await succeeds(started)).log.join('');
    expect(log.match(/^waiting$/gm)).toHaveLength(2);
  });

  test.each([
    ['REQUEUE_HOLD', []],
    ['SPECIAL_EXIT', ['State=SpecialExit']],
  ])('%s', async (word, state) => {
    const started = await start('quiet');
    await runs(started);
    await slurm('scontrol', 'requeuehold', ...state, started.id);
    await says(started, 'it was requeued and is held; ask for help');
    if (word === 'SPECIAL_EXIT') await untilState(started, word);
    await isIn('queued', started);
    await startsAgain(started);
    await started.open();
    await succeeds(started);
  });

  test('SUSPENDED, and resumed', async () => {
    const started = await start('quiet');
    await runs(started);
    await slurm('scontrol', 'suspend', started.id);
    await says(started, stateRow('SUSPENDED')?.sentence ?? '?');
    await isIn('running', started);
    await slurm('scontrol', 'resume', started.id);
    await says(started, stateRow('RUNNING')?.sentence ?? '?');
    await started.open();
    await succeeds(started);
  });

  test('held, and released', async () => {
    const started = await start('closed');
    await says(started, 'its partition runs no jobs at present');
    await slurm('scontrol', 'hold', started.id);
    await says(started, 'it is held');
    await slurm('scontrol', 'release', started.id);
    // Slurm 24.11 and newer refuse occasionally: "Resource temporarily unavailable"
    await lab.until(async () => {
      await nudge('update', `JobId=${started.id}`, 'Partition=quiet');
      return (await slurm('squeue', `--jobs=${started.id}`, '-ho', '%P')) === 'quiet';
    });
    await isIn('running', started);
    await started.open();
    await succeeds(started);
  });

  test('PREEMPTED and back in the queue', async () => {
    const started = await start('low');
    await runs(started);
    const urgent = await start('high', ['Linger', '1', '/dev/null'], 8);
    await isIn('queued', started);
    await succeeds(urgent);
    await startsAgain(started);
    await started.open();
    await succeeds(started);
  });

  test.each(['cancel', 'grace'])('PREEMPTED and over (low%s)', async (pair) => {
    const started = await start(`low${pair}`);
    await runs(started);
    await start(`high${pair}`, ['Linger', '1', '/dev/null'], 8);
    await fails(started, 'PREEMPTED', /state PREEMPTED/);
  });

  test('a prolog that fails: Slurm drains the node and holds the job', async () => {
    const started = await start('broken', ['Linger', '1', '/dev/null']);
    await says(started, 'it could not be started and is held; ask for help');
    await isIn('queued', started);
    expect(await slurm('sinfo', '-hn', 'n3', '-p', 'broken', '-o', '%t')).toMatch(/drain/);
    await lab.girder.cancel(started.girderJob.id);
    expectStatus(await lab.ended(started.girderJob), status.canceled);
  });

  test('OUT_OF_MEMORY', async ({ skip }) => {
    if (!site.limitsMemory) skip('this user may not limit memory on this machine');
    const started = await start('quiet', ['Eat']);
    await fails(started, 'OUT_OF_MEMORY', /reason OutOfMemory/);
  });
});
