import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { createLog, silentLog } from '../../../src/base/log.js';
import { startSlurm, type SlurmService } from '../../../src/sandbox/services/slurm.js';
import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import type { RunView } from '../../../src/worker/views/handle.js';
import { createWorker, type Worker } from '../../../src/worker/worker.js';
import { expectStatus, openLab, status, statuses, type Lab } from '../../support/lab.js';
import { testSite } from '../../support/test-site.js';

let dir: string;
let slurm: SlurmService;
let lab: Lab;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-out-'));
  // ended jobs are forgotten at once, without accounting
  slurm = await startSlurm({
    dir: await mkdtemp(join(dir, 's-')),
    nodes: 2,
    log: silentLog(),
    env: process.env,
    minJobAge: 2,
  });
  lab = await openLab(
    {
      'apptainer.options': [`--bind=${dir}`],
      'slurm.mem': '100M',
      'slurm.commandTimeoutSeconds': 4,
      'worker.inFlight': 3,
    },
    { slurmConf: slurm.conf, ownProducer: true },
  );
  await mkdir(lab.bin, { recursive: true });
  for (const name of ['sbatch', 'squeue', 'scontrol', 'scancel', 'sacct']) {
    const path = join(lab.bin, name);
    const words = [
      '#!/bin/sh',
      `echo ${name} >>${join(dir, 'calls')}`,
      `[ ! -e ${join(dir, 'slow')} ] || sleep 2`,
      `PATH=\${PATH#*:} exec ${name} "$@"`,
    ];
    await writeFile(path, `${words.join('\n')}\n`);
    await chmod(path, 0o755);
  }
});

afterAll(async () => {
  await lab.close();
  await slurm.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Number of calls of a Slurm command so far. */
async function calls(name: string): Promise<number> {
  const text = await readFile(join(dir, 'calls'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line === name).length;
}

const gate = (name: string): string => join(dir, `gate-${name}`);
const open = async (name: string): Promise<void> => writeFile(gate(name), '');
const publish = async (name: string): Promise<GirderJob> =>
  lab.publish({ args: ['Wait', gate(name)], title: name });

const logOf = ({ id }: GirderJob): string => lab.girder.job(id)?.log.join('') ?? '';
const health = () => lab.worker.handle.snapshot().health;
const runOf = ({ id }: GirderJob): RunView | undefined =>
  lab.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === id);
const jobsProblem = () => lab.worker.handle.snapshot().jobs.problem;

async function runs(job: GirderJob): Promise<void> {
  await lab.until(() => logOf(job).includes('tick 2'), 90_000);
}

/** Waits for success: reported once, with each log line once and in order, including the last one. */
async function succeeds(published: GirderJob): Promise<void> {
  const job = await lab.ended(published, 90_000);
  expectStatus(job, status.success);
  expect(statuses(job)).toEqual([status.running, status.success]);
  const seen = [...logOf(job).matchAll(/^tick (\d+)$/gm)].map((match) => Number(match[1]));
  expect(seen).toEqual(seen.map((_, index) => index + 1));
  expect(logOf(job)).toMatch(new RegExp(`^ticks: ${seen.length}$`, 'm'));
}

test('RabbitMQ is restarted under two workers with a batch: each task runs once, and outcomes are reported meanwhile', async () => {
  const { settings } = lab;
  const second: Worker = await createWorker({
    profile: 'second',
    settings: {
      ...settings,
      dirs: { ...settings.dirs, state: join(dir, 'second') },
      worker: { ...settings.worker, name: `second-${settings.worker.name}` },
    },
    env: { PATH: `${lab.bin}:${process.env['PATH']}`, HOME: dir, SLURM_CONF: slurm.conf },
    log: createLog({ level: 'info', destination: join(dir, 'second.log') }),
  });
  const all = (): RunView[] => [lab.worker, second].flatMap(({ handle }) => [...handle.snapshot().runs]);
  const control = async (word: string): Promise<void> => {
    const answer = await lab.command(testSite().rabbitmqctl, [word], {
      env: testSite().rabbitmqEnv,
      timeoutMs: 60_000,
    });
    expect(answer).toMatchObject({ kind: 'exited', exitCode: 0 });
  };
  const sbatchBefore = await calls('sbatch');
  try {
    await second.start();
    const names = Array.from({ length: 10 }, (_, index) => `batch-${index}`);
    const published = await Promise.all(names.map(publish));
    await lab.until(() => all().filter(({ stage }) => stage === 'running').length === 6, 90_000);

    await control('stop_app');
    await lab.until(() => health().broker.state === 'disconnected' && health().broker.problem !== null);
    const begun = published.filter((job) => all().some(({ girderJobId }) => girderJobId === job.id));
    expect(begun).toHaveLength(6);
    for (const { title } of begun) await open(title);
    for (const job of begun) await succeeds(job);

    await control('start_app');
    for (const name of names) await open(name);
    for (const job of published) await succeeds(job);
    const ids = all().map(({ girderJobId }) => girderJobId);
    expect(ids).toHaveLength(10);
    expect(new Set(ids)).toEqual(new Set(published.map(({ id }) => id)));
    expect((await calls('sbatch')) - sbatchBefore).toBe(10);
    await lab.until(() => health().broker.state === 'consuming' && health().broker.problem === null);
    const attempts = (await readFile(join(lab.dir, 'worker.log'), 'utf8')).match(/"problem":.*"broker"/g);
    expect(attempts?.length ?? 0).toBeLessThan(40);
  } finally {
    await second.stop();
  }
});

test('slurmctld is suspended: jobs end and are submitted meanwhile, and nothing is guessed', async () => {
  const first = await publish('still-1');
  await runs(first);
  const controller = slurm.daemon('slurmctld');
  controller.signal('SIGSTOP');
  let second: GirderJob;
  const squeueBefore = await calls('squeue');
  const since = Date.now();
  try {
    await lab.until(() => jobsProblem() !== null);
    const sbatchBefore = await calls('sbatch');
    second = await publish('still-2');
    await lab.until(async () => (await calls('sbatch')) > sbatchBefore);
    await open('still-1');
    await lab.until(async () =>
      (await readFile(join(lab.dir, 'worker.log'), 'utf8')).includes('looking it up by its key'),
    );
    // its own exit record tells the end, which Slurm cannot
    await succeeds(first);
    // each query runs into its timeout, and the next interval is longer
    expect((await calls('squeue')) - squeueBefore).toBeLessThan(4 + (Date.now() - since) / 2_000);
  } finally {
    controller.signal('SIGCONT');
  }
  await runs(second);
  const { id } = runOf(second) ?? {};
  const listed = await lab.command('squeue', ['--states=all', '-ho', '%i', `--name=dsa-slurm-${id}`]);
  expect(listed).toMatchObject({ stdout: expect.stringMatching(/^\d+\n$/) });
  await open('still-2');
  await succeeds(second);
  expect(jobsProblem()).toBeNull();
});

test('Slurm is slow: one query at a time, and the right outcome', async () => {
  await writeFile(join(dir, 'slow'), '');
  const squeueBefore = await calls('squeue');
  const since = Date.now();
  try {
    const job = await publish('slow');
    await open('slow');
    await succeeds(job);
    expect((await calls('squeue')) - squeueBefore).toBeLessThanOrEqual(2 + (Date.now() - since) / 2_000);
  } finally {
    await rm(join(dir, 'slow'));
  }
});

test('Girder answers 503 for a while: requests back off, and the outcome is reported in the end', async () => {
  const job = await publish('girder');
  await runs(job);
  const asked: number[] = [];
  lab.girder.fail(() => {
    asked.push(Date.now());
    return { kind: 'answer', status: 503, contentType: 'text/html', body: 'busy' };
  });
  try {
    await lab.until(() => health().problem !== null);
    await open('girder');
    await lab.until(() => runOf(job)?.stage === 'collecting');
    await lab.until(() => asked.length > 3, 60_000);
    // retries after one second, then two, then four, with 50 % jitter
    expect((asked[3] ?? 0) - (asked[0] ?? 0)).toBeGreaterThan(1_400);
  } finally {
    lab.girder.fail();
  }
  await succeeds(job);
  await lab.until(() => health().problem === null);
});

// must be last: a new controller takes a while until its nodes have registered
test('slurmctld is restarted: its jobs continue', async () => {
  const job = await publish('crash');
  await runs(job);
  // a clean stop: after a crash it forgets what it had not saved, which the test cannot control
  const controller = slurm.daemon('slurmctld');
  const state = slurm.conf.replace(/slurm\.conf$/, 'state/job_state');
  const asked = Date.now();
  controller.signal('SIGTERM');
  await lab.until(async () => (await stat(state)).mtimeMs >= asked);
  await lab.until(() => jobsProblem() !== null);
  await controller.kill();
  expect(lab.girder.job(job.id)?.status).toBe(status.running);
  await controller.start();
  await lab.until(() => jobsProblem() === null, 60_000);
  await open('crash');
  await succeeds(job);
});
