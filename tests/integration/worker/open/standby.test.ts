import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../../../src/sandbox/fake-girder/index.js';
import { readLease } from '../../../../src/worker/run-state/lease.js';
import { openBench, type Bench } from '../../../support/bench.js';
import { canMakeHosts, makeHosts, type Hosts } from '../../../support/hosts.js';
import { hangDirectory } from '../../../support/hanging-directory.js';
import { expectStatus, openLab, status, statuses } from '../../../support/lab.js';
import type { Program } from '../../../support/program.js';
import { testSite } from '../../../support/test-site.js';

const mayMakeHosts = canMakeHosts();
let bench: Bench;
let hosts: Hosts;
let programs: Program[];

/** A standby worker, which becomes active if no other is. With `leaseSeconds` 3 the takeover happens after 4 s. */
async function standBy(host: string, leaseSeconds = 3): Promise<Program> {
  const flags = [...bench.queueFlags, ...bench.quickFlags, '--log-level', 'debug'];
  const program = await hosts.start(
    host,
    ['worker', '--standby', ...flags, '--set', `worker.leaseSeconds=${leaseSeconds}`],
    { env: bench.env, copyTo: join(bench.dir, `${host}.log`) },
  );
  programs.push(program);
  return program;
}

/** Messages of a worker's log with their times. */
function messages(program: Program): { time: number; msg: string; level: number }[] {
  return program
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { time: string; msg: string; level: number | string })
    .map(({ time, msg, level }) => ({ time: new Date(time).getTime(), msg, level: Number(level) }));
}

const hasSaid = (program: Program, msg: string): boolean =>
  messages(program).some((each) => each.msg === msg);
const isWorking = async (program: Program): Promise<unknown> =>
  bench.until(() => hasSaid(program, 'the worker starts'), 60_000);
const isWaiting = async (program: Program): Promise<unknown> =>
  bench.until(() => hasSaid(program, 'standing by: another worker owns the state directory'), 60_000);

async function publishCopy(name: string): Promise<{ job: GirderJob; folder: string }> {
  const input = await bench.girder.addFile(bench.girder.rootFolderId, name, Buffer.from(name));
  const folder = bench.girder.addFolder(bench.girder.rootFolderId, `results of ${name}`).id;
  const args = ['Copy', { file: input.id, name }, { output: 'copy', toFolder: folder }];
  return { job: await bench.publish({ args, title: name }), folder };
}

const isRunning = ({ id }: GirderJob): boolean =>
  bench.girder.job(id)?.log.join('').includes('tick') ?? false;

/** One Slurm job, one outcome, its output once. */
async function expectOnce({ job, folder }: { job: GirderJob; folder: string | null }): Promise<void> {
  const ended = await bench.ended(job, 90_000);
  expectStatus(ended, status.success);
  expect(statuses(ended)).toEqual([status.running, status.success]);
  expect(await bench.slurmJobs(job)).toHaveLength(1);
  if (folder !== null) expect(await bench.text(folder, 'copy')).toBe(job.title);
}

/** How many events of a kind the journal has; it is rewritten by each worker when it starts. */
async function countEvents(type: string): Promise<number> {
  const text = await readFile(join(bench.stateDir, 'journal.jsonl'), 'utf8');
  return text.split(`"type":"${type}"`).length - 1;
}

test('a state directory that hangs: the worker waits, reports it, and continues afterwards', async ({
  skip,
}) => {
  const lab = await openLab({ 'worker.leaseSeconds': 3 });
  const letGo = await hangDirectory(lab.settings.dirs.state);
  try {
    if (letGo === null) skip('this user may not mount');
    const job = await lab.publish({ args: ['Fail'] });
    const { handle } = lab.worker;
    await lab.until(() => handle.snapshot().health.problem?.includes('lock of the state directory'), 60_000);
    // none of its pending work is done
    expect(lab.girder.job(job.id)?.timestamps).toEqual([]);
    await letGo?.();
    expectStatus(await lab.ended(job), status.error);
    expect(statuses(lab.girder.job(job.id) ?? job)).toEqual([status.running, status.error]);
    await lab.until(() => handle.snapshot().health.problem === null);
    expect(lab.worker.failed.aborted).toBe(false);
  } finally {
    await letGo?.();
    await lab.close();
  }
});

describe('two hosts', () => {
  beforeEach(async ({ skip }) => {
    if (!mayMakeHosts) skip('this user may not make namespaces');
    bench = await openBench();
    const conf = await readFile(testSite().slurmConf, 'utf8');
    const [, slurmAddress = ''] = /^SlurmctldHost=.*\((.+)\)$/m.exec(conf) ?? [];
    const [, slurmPort = ''] = /^SlurmctldPort=(\d+)$/m.exec(conf) ?? [];
    const [, databasePort] = /^AccountingStoragePort=(\d+)$/m.exec(conf) ?? [];
    const [amqp, girder] = [new URL(testSite().amqpUrl), new URL(bench.girder.apiUrl)];
    hosts = await makeHosts([
      { address: amqp.hostname, port: Number(amqp.port) },
      { address: girder.hostname, port: Number(girder.port) },
      { address: slurmAddress, port: Number(slurmPort) },
      // a submission of unknown fate is looked up there too, and waits while nothing answers
      ...(databasePort === undefined ? [] : [{ address: '127.0.0.1', port: Number(databasePort) }]),
    ]);
    programs = [];
  });

  afterEach(async () => {
    if (!mayMakeHosts) return;
    for (const program of programs) program.signal('SIGKILL');
    await Promise.all(programs.map(async ({ ended }) => ended));
    await hosts.close();
    await bench.close();
  });

  test('the active one is killed repeatedly, and each run ends exactly once', async () => {
    let active = await standBy('login1');
    await isWorking(active);
    let waiting = await standBy('login2');
    const published: { job: GirderJob; folder: string | null }[] = [];
    for (const [round, event] of [
      'accepted',
      'submitting',
      'submitted',
      'started',
      'output-begun',
    ].entries()) {
      await isWaiting(waiting);
      const before = await countEvents(event);
      const copies = await Promise.all(
        Array.from({ length: 3 }, async (_, index) => publishCopy(`slide ${round}-${index}`)),
      );
      published.push(...copies);
      const gated = await bench.publish({ args: ['Wait', bench.gate('gate')], title: `wait ${round}` });
      published.push({ job: gated, folder: null });
      await bench.until(async () => (await countEvents(event)) > before, 60_000);
      active.signal('SIGKILL');
      await active.ended;
      const next = waiting;
      await isWorking(next);
      expect(hasSaid(next, 'taking over from the other worker')).toBe(true);
      waiting = await standBy(round % 2 === 0 ? 'login1' : 'login2');
      active = next;
    }
    await bench.openGate('gate');
    for (const each of published) await expectOnce(each);
  }, 300_000);

  test('one that was suspended exits when it wakes up, and writes nothing', async () => {
    const first = await standBy('login1');
    await isWorking(first);
    const second = await standBy('login2');
    await isWaiting(second);
    const before = await bench.publish({ args: ['Wait', bench.gate('gate')] });
    await bench.until(() => isRunning(before), 60_000);
    const copies = [await publishCopy('one'), await publishCopy('two')];
    // RabbitMQ would keep messages that were not acknowledged until the heartbeats of the suspended worker are missed
    await bench.until(async () => (await countEvents('accepted')) === 3, 60_000);
    first.signal('SIGSTOP');
    await isWorking(second);
    for (const each of copies) await expectOnce(each);
    // RabbitMQ still has the connection of the first one, and may deliver the task to it
    const late = await publishCopy('three');
    const lines = async (): Promise<string> => readFile(join(bench.stateDir, 'worker.owner'), 'utf8');
    const owner = await lines();
    expect(owner).toContain('"host":"login2"');

    const woken = Date.now();
    first.signal('SIGCONT');
    expect(await first.ended).toBe(1);
    const last = messages(first).filter(({ time }) => time >= woken);
    expect(last.at(-1)?.msg).toBe('another worker has taken over; this one exits');
    // The audit log has a line for the start of each command that changes something.
    const audit = await readFile(join(bench.stateDir, 'commands.jsonl'), 'utf8');
    const begun = audit
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { at: string; pid: number; command: string; begun?: true })
      .filter((line) => line.begun === true && new Date(line.at).getTime() >= woken);
    expect(begun.filter(({ pid }) => pid === first.pid)).toEqual([]);
    expect(await lines()).toBe(owner);
    await expectOnce(late);
    await bench.openGate('gate');
    await expectOnce({ job: before, folder: null });
    expect((await readLease(bench.stateDir))?.owner?.host).toBe('login2');
  }, 240_000);

  test('both are started at once: one is active, the other is on standby', async () => {
    const both = await Promise.all([standBy('login1'), standBy('login2')]);
    await bench.until(
      () =>
        both.some((each) => hasSaid(each, 'the worker starts')) &&
        both.some((each) => hasSaid(each, 'standing by: another worker owns the state directory')),
      60_000,
    );
    await expectOnce(await publishCopy('slide'));
    expect(both.filter((each) => hasSaid(each, 'the worker starts'))).toHaveLength(1);
  });

  test('stopping the standby does not affect the active one', async () => {
    const first = await standBy('login1');
    await isWorking(first);
    const second = await standBy('login2');
    await isWaiting(second);
    const directory = join(bench.stateDir, 'worker.standby');
    // the standby makes it a moment after it has said that it waits
    await bench.until(async () => (await readdir(directory).catch(() => [])).length === 1);
    second.signal('SIGTERM');
    expect(await second.ended).toBe(0);
    expect(await readdir(directory)).toEqual([]);
    await expectOnce(await publishCopy('slide'));
    expect((await readLease(bench.stateDir))?.generation).toBe(1);
  });

  test('the active one is stopped cleanly: the standby does not wait for its lease to expire', async () => {
    // a lease that would take more than ten minutes to expire
    const first = await standBy('login1', 600);
    await isWorking(first);
    const second = await standBy('login2', 3);
    await isWaiting(second);
    const job = await bench.publish({ args: ['Wait', bench.gate('gate')] });
    await bench.until(() => isRunning(job), 60_000);
    first.signal('SIGTERM');
    expect(await first.ended).toBe(0);
    await isWorking(second);
    await bench.openGate('gate');
    await expectOnce({ job, folder: null });
  });
});
