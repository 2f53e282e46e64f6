import { userInfo } from 'node:os';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import { startAccountingSite, type AccountingSite } from '../../support/accounting-site.js';
import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';

const user = userInfo().username;

let site: AccountingSite;
let lab: Lab | undefined;

beforeAll(async () => {
  site = await startAccountingSite();
}, 180_000);
afterAll(async () => site.close());
afterEach(async () => {
  await lab?.close();
  lab = undefined;
});

async function open(flags: Record<string, unknown> = {}): Promise<Lab> {
  lab = await openLab(flags, { slurmConf: site.slurm.conf });
  return lab;
}

/** The message next to the progress bar in Girder. */
function messageOf({ id }: GirderJob): string {
  return lab?.girder.job(id)?.progress?.message ?? '';
}

describe('a submit limit', () => {
  test.each([
    ['of an account', 'account', 'path', 'GrpSubmitJobs'],
    ['of a user', 'user', user, 'MaxSubmitJobs'],
    ['of a QOS', 'qos', 'normal', 'GrpSubmitJobs'],
    ['of a QOS for each user', 'qos', 'normal', 'MaxSubmitJobsPerUser'],
    ['of a QOS for each account', 'qos', 'normal', 'MaxSubmitJobsPerAccount'],
  ] as const)('%s is waited for', async (_, what, name, limit) => {
    const { publish, ended, until } = await open();
    await site.modify(what, name, `${limit}=1`);
    try {
      const jobs = [await publish({ args: ['Clock', '1'] }), await publish({ args: ['Clock', '0'] })];
      await until(() => jobs.some((job) => messageOf(job).includes('limit on submitted jobs')));
      for (const job of jobs) expectStatus(await ended(job), status.success);
      for (const job of jobs) expect(messageOf(job)).not.toContain('limit on submitted jobs');
    } finally {
      await site.modify(what, name, `${limit}=-1`);
    }
  });
});

describe('a partition that accepts no jobs', () => {
  test('fails no run, pauses the intake, is reported, and all runs continue when it is up again', async () => {
    const { publish, ended, until, worker } = await open({
      'slurm.partition': 'shut',
      'worker.inFlight': 20,
    });
    await site.must('scontrol', 'update', 'PartitionName=shut', 'State=INACTIVE');
    const jobs = await Promise.all(Array.from({ length: 6 }, async () => publish({ args: ['Clock', '0'] })));
    const { handle } = worker;
    await until(() => handle.snapshot().health.intake === 'blocked');
    expect(handle.snapshot().health.problem).toContain('Required partition not available');
    await until(() => handle.snapshot().runs.some(({ reason }) => reason?.includes('Required partition')));
    const late = await publish({ args: ['Clock', '0'] });
    await until(() => jobs.some((job) => messageOf(job).includes('accepts no such jobs')));
    await site.must('scontrol', 'update', 'PartitionName=shut', 'State=UP');
    for (const job of [...jobs, late]) expectStatus(await ended(job), status.success);
    expect(handle.snapshot().health).toMatchObject({ intake: 'open', problem: null });
  });
});

describe('an account that is refused', () => {
  test("fails the run at once with Slurm's message; one that was accepted before is retried", async () => {
    const { publish, ended, until } = await open({ 'slurm.account': 'research' });
    expectStatus(await ended(await publish({ args: ['Clock', '0'] })), status.success);
    await site.must('sacctmgr', '--immediate', 'remove', 'user', user, 'account=research', 'cluster=sandbox');
    const waiting = await publish({ args: ['Clock', '0'] });
    await until(() => messageOf(waiting).includes('accepts no such jobs'));
    await site.must('sacctmgr', '--immediate', 'add', 'user', user, 'account=research', 'cluster=sandbox');
    await site.modify('user', user, 'QOS=normal,short');
    expectStatus(await ended(waiting), status.success);
    await lab?.close();

    const second = await open({ 'slurm.account': 'nobodys' });
    const refused = await second.ended(await second.publish({ args: ['Clock', '0'] }));
    expectStatus(refused, status.error);
    expect(refused.log.join('')).toContain('Invalid account or account/partition combination');
  });
});

describe('the ends of jobs that slurmctld has forgotten', () => {
  test('are taken from slurmdbd once it is back, however late it learns of them', async () => {
    const { publish, ended, until, worker, startWorker, girder } = await open({
      'slurm.time': '1',
      'slurm.cancelSeconds': 1,
    });
    const published = {
      timedOut: await publish({ args: ['Graceful'] }),
      canceled: await publish({ args: ['Graceful'] }),
      completed: await publish({ args: ['Clock', '4'] }),
    };
    const running = (): (string | null)[] =>
      Object.values(published).map(({ id }) => {
        const run = lab?.worker.handle.snapshot().runs.find(({ girderJobId }) => girderJobId === id);
        return run?.stage === 'running' ? run.jobId : null;
      });
    await until(() => running().every((id) => id !== null));
    const [, canceledId] = running();
    await worker.stop();
    await site.slurm.daemon('slurmdbd').kill();
    await site.must('scancel', canceledId ?? '');
    // the time limit, and then the time that slurmctld remembers a job
    await until(async () => (await site.must('squeue', '--noheader', '--states=all')) === '', 200_000);
    await startWorker();
    await until(() => lab?.worker.handle.snapshot().jobs.at !== null);
    await site.slurm.daemon('slurmdbd').start();
    expectStatus(await ended(published.canceled, 120_000), status.canceled);
    expectStatus(await ended(published.timedOut, 120_000), status.error);
    expectStatus(await ended(published.completed, 120_000), status.success);
    expect(girder.job(published.timedOut.id)?.log.join('')).toContain('TIMEOUT');
  }, 400_000);
});
