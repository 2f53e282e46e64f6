import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { createRunner, type RunCommand } from '../../../src/base/command.js';
import { silentLog } from '../../../src/base/log.js';
import { startSlurm, type SlurmService } from '../../../src/sandbox/services/slurm.js';
import { argumentsFileContent, batchEnvironment } from '../../../src/slurm/batch-script.js';
import { arrayRest } from '../../../src/slurm/array-rest.js';
import { cancelJobs } from '../../../src/slurm/commands/scancel.js';
import { changeJobs, type JobChange } from '../../../src/slurm/commands/change-jobs.js';
import { slurmEnvironment } from '../../../src/slurm/environment.js';
import { readExitRecord } from '../../../src/slurm/exit-record.js';
import type { JobRow } from '../../../src/slurm/job.js';
import { jobName } from '../../../src/slurm/job-identity.js';
import { findJob } from '../../../src/slurm/find-job.js';
import { takeUserOptions, type SbatchOption } from '../../../src/slurm/options.js';
import { resolveEnd, type JobEnd } from '../../../src/slurm/job-end.js';
import { showJob } from '../../../src/slurm/commands/scontrol.js';
import { readClusterInfo } from '../../../src/slurm/site.js';
import { queryJobs } from '../../../src/slurm/commands/squeue.js';
import { phaseOf } from '../../../src/slurm/states.js';
import { submit, submitArguments } from '../../../src/slurm/commands/sbatch.js';
import { createTracker } from '../../../src/slurm/tracker.js';
import { testSite } from '../../support/test-site.js';

/** `npm run test:sites -- … --accounting` */
const hasAccounting = process.env['DSA_SLURM_TEST_ACCOUNTING'] !== undefined;

const template = fileURLToPath(new URL('../../../templates/singularity.slurm', import.meta.url));

let dir: string;
let run: RunCommand;
let count = 0;

/** Everything that Slurm's commands get to see, as the worker makes it, with what a login shell could add. */
function environment(conf: string): Record<string, string> {
  return slurmEnvironment({
    ...process.env,
    SLURM_CONF: conf,
    SQUEUE_FORMAT: '%i',
    SQUEUE_STATES: 'PENDING',
    SBATCH_JOB_NAME: 'not-this',
    SLURM_TIME_FORMAT: 'relative',
    MY_SECRET: 'hush',
  });
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-'));
  run = createRunner({ env: environment(testSite().slurmConf) });
});

afterAll(async () => rm(dir, { recursive: true, force: true }));

interface Started {
  jobId: string;
  key: string;
  log: string;
  record: string;
}

/** Submits a job whose container is a shell script. */
async function start(
  container: string,
  {
    args = [] as string[],
    options = [] as readonly SbatchOption[],
    logName = 'run.log',
    hidden = null as string[] | null,
    command = run,
  } = {},
): Promise<Started> {
  const key = `test-${process.pid}-${(count += 1)}`;
  const home = await mkdtemp(join(dir, 'run-'));
  const apptainer = join(home, 'apptainer');
  await writeFile(apptainer, `#!/bin/bash\n${container}\n`);
  await chmod(apptainer, 0o755);
  const argumentsFile = hidden === null ? null : join(home, 'arguments');
  if (argumentsFile !== null && hidden !== null) await writeFile(argumentsFile, argumentsFileContent(hidden));
  const log = join(home, logName);
  const record = join(home, 'run.exit');
  const answer = await submit(
    command,
    submitArguments({
      logFile: log,
      options: [['mem', '100M'], ['time', '5'], ...options],
      key,
      script: template,
      scriptArgs: args,
    }),
    { env: batchEnvironment({ apptainer, exitRecord: record, argumentsFile }) },
  );
  if (answer.kind !== 'submitted') throw new Error(JSON.stringify(answer));
  return { jobId: answer.jobId, key, log, record };
}

async function row(jobId: string): Promise<JobRow> {
  const answer = await queryJobs(run, { kind: 'mine' });
  if (answer.kind !== 'answer') throw new Error(answer.why);
  expect(answer.unparsable).toBe(0);
  const found = answer.rows.find((row) => row.id === jobId);
  if (found === undefined) throw new Error(`no job ${jobId}`);
  return found;
}

async function untilRow(jobId: string, is: (row: JobRow) => boolean): Promise<JobRow> {
  return vi.waitUntil(
    async () => {
      const now = await row(jobId);
      return is(now) ? now : null;
    },
    { timeout: 90_000, interval: 200 },
  );
}

const ended = (row: JobRow): boolean => phaseOf(row.state, row.reason) === 'ended';

async function end(job: Started, command = run): Promise<JobEnd> {
  return resolveEnd({
    run: command,
    jobId: job.jobId,
    key: job.key,
    readExitRecord: async () => readExitRecord(job.record),
    trustRecord: false,
    now: Date.now,
  });
}

describe('a job of dsa-slurm', () => {
  it("runs with its arguments and without the worker's secrets, and succeeds", async () => {
    const odd = ['Tiny', 'a  b', '$(id)', '*', 'é\n2', ''];
    const job = await start(`printf '<%s>' "$@"; echo; env; echo problem >&2`, {
      args: ['--pwd', '/x', 'image.sif'],
      hidden: odd,
      logName: 'log 100% %j "é",\'.txt',
    });
    const last = await untilRow(job.jobId, ended);
    expect(last).toMatchObject({
      name: jobName(job.key),
      key: job.key,
      state: { base: 'COMPLETED' },
      exitCode: { code: 0, signal: 0 },
      timeLimit: 300,
      memory: '100M',
      partition: testSite().slurmPartitions[0],
    });
    expect(Math.abs((last.submittedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(await end(job)).toMatchObject({ kind: 'ended', outcome: 'succeeded', how: 'scontrol' });
    expect(await readExitRecord(job.record)).toMatchObject({ exitCode: 0, jobId: job.jobId });
    const log = await readFile(job.log, 'utf8');
    expect(log).toContain(['exec', '--pwd', '/x', 'image.sif', ...odd].map((arg) => `<${arg}>`).join(''));
    expect(log).toContain('problem');
    expect(log).not.toContain('hush');
    const shown = await showJob(run, job.jobId);
    expect(shown).toMatchObject({
      kind: 'job',
      job: { name: jobName(job.key), comment: `dsa-slurm:${job.key}` },
    });
    expect(JSON.stringify(shown)).not.toContain('Tiny');
  });

  it('ends with its exit code', async () => {
    const job = await start('exit 3');
    expect(await untilRow(job.jobId, ended)).toMatchObject({
      state: { base: 'FAILED' },
      reason: 'NonZeroExitCode',
      exitCode: { code: 3, signal: 0 },
    });
    expect(await end(job)).toMatchObject({ outcome: 'failed', exitCode: { code: 3, signal: 0 } });
  });

  it('is canceled while it runs, and again after that', async () => {
    const job = await start(`trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done`);
    await vi.waitUntil(async () => (await readFile(job.log, 'utf8').catch(() => '')).includes('up'), 20_000);
    expect(await end(job)).toMatchObject({ kind: 'alive', state: { base: 'RUNNING' } });
    expect(await cancelJobs(run, [job.jobId])).toEqual({ ok: true, message: '' });
    await untilRow(job.jobId, ended);
    expect(await end(job)).toMatchObject({ kind: 'ended', outcome: 'canceled' });
    expect(await readFile(job.log, 'utf8')).toContain('bye');
    expect(await cancelJobs(run, [job.jobId, '4000000'])).toEqual({ ok: true, message: '' });
  });

  it('is found by its key, even before it starts', async () => {
    const job = await start('true', { options: [['hold', null]] });
    const since = Date.now() - 60_000;
    const held = await untilRow(job.jobId, (row) => row.reason !== '');
    expect(phaseOf(held.state, held.reason)).toBe('held');
    expect(await findJob(run, { key: job.key, since })).toMatchObject({
      kind: 'found',
      jobId: job.jobId,
      others: [],
    });
    expect(await findJob(run, { key: 'nobody', since })).toEqual({ kind: 'none', accounting: hasAccounting });
    await run('scontrol', ['release', job.jobId]);
    await untilRow(job.jobId, ended);
    expect(await findJob(run, { key: job.key, since })).toMatchObject({
      kind: 'found',
      state: { base: 'COMPLETED' },
    });
  });

  it('is requeued without losing its log or keeping an old record', async () => {
    const job = await start('echo up; sleep 60');
    await vi.waitUntil(async () => (await readFile(job.log, 'utf8').catch(() => '')).includes('up'), 20_000);
    await run('scontrol', ['requeuehold', job.jobId]);
    const held = await untilRow(job.jobId, (row) => phaseOf(row.state, row.reason) === 'held');
    expect(held.state.base).not.toBe('COMPLETED');
    expect(await end(job)).toMatchObject({ kind: 'alive' });
    expect(await readFile(job.log, 'utf8')).toContain('up');
    await cancelJobs(run, [job.jobId]);
    await untilRow(job.jobId, ended);
  });

  it('accepts only the task options that the operator allows', async () => {
    const { options, args, refused } = takeUserOptions(
      ['Tiny', '--slurm_time', '2', '--slurm_wrap=touch /tmp/x', '--slurm_output=/x', '--slurm_nice', '5'],
      ['time', 'wrap', 'output'],
    );
    expect(refused.map((one) => one.option)).toEqual(['wrap', 'output', 'nice']);
    const job = await start('echo "ran $*"', { options, args });
    expect(await untilRow(job.jobId, ended)).toMatchObject({ timeLimit: 120 });
    expect(await readFile(job.log, 'utf8')).toBe('ran exec Tiny\n');
  });
});

function running(rows: readonly JobRow[]): string[] {
  return rows.filter(({ state }) => state.base === 'RUNNING').map(({ id }) => id);
}

describe("Slurm's output", () => {
  it('is passed on for a refusal', async () => {
    const args = ['--parsable', '--partition=nowhere', template];
    expect(await submit(run, args)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('nowhere'),
      cause: 'request',
    });
  });

  it('is parsed with arbitrary names, and with arrays', async () => {
    const name = `odd | "é ☃" \u001F\u001E, 'x'\nsecond ${'x'.repeat(300)}`;
    const odd = await run('sbatch', [
      '--parsable',
      '--hold',
      `--job-name=${name}`,
      '--output=/dev/null',
      template,
    ]);
    const array = await run('sbatch', [
      '--parsable',
      '--hold',
      '--array=0-5%2',
      '--output=/dev/null',
      template,
    ]);
    const ids = [odd, array].map((result) => (result.kind === 'exited' ? result.stdout.trim() : ''));
    expect(await row(ids[0] ?? '')).toMatchObject({ name, key: null });
    expect(await showJob(run, ids[0] ?? '')).toMatchObject({ kind: 'job', job: { name } });
    const arrayId = `${ids[1]}_[0-5%2]`;
    expect(await row(arrayId)).toMatchObject({ reason: 'JobHeldUser' });
    expect(await cancelJobs(run, [ids[0] ?? '', arrayId])).toEqual({ ok: true, message: '' });
    await untilRow(ids[0] ?? '', ended);
  });

  it('of an array: pending tasks are canceled without running ones, and can be extended like single jobs', async () => {
    const submitted = async (...args: string[]): Promise<string> => {
      const all = ['--parsable', '--output=/dev/null', '--time=30', ...args, '--wrap=sleep 600'];
      const result = await run('sbatch', all);
      return result.kind === 'exited' ? result.stdout.trim() : '';
    };
    // squeue would cut this list at 64 characters
    const list = `1,${Array.from({ length: 40 }, (_, index) => 3 * index + 5).join(',')}%1`;
    const array = await submitted(`--array=${list}`);
    const [one, two] = [await submitted(), await submitted()];
    const rows = async () => {
      const answer = await queryJobs(run, { kind: 'mine' });
      if (answer.kind !== 'answer' || answer.unparsable > 0) return [];
      return answer.rows.filter(({ id }) => [array, one, two].includes(id.split('_')[0] ?? ''));
    };
    await vi.waitUntil(async () => running(await rows()).length === 3, 20_000);
    const before = await rows();
    const rest = before.find(({ id }) => id.includes('['))?.id ?? '';
    expect(arrayRest(rest)?.count).toBe(40);

    const limits = new Map(before.map(({ id, timeLimit }) => [id, timeLimit]));
    const limitOf = (id: string): number | null => limits.get(id) ?? null;
    const more: JobChange = { kind: 'timeLimit', limit: '+30' };
    const all = [rest, `${array}_1`, one, two];
    expect(await changeJobs(run, more, all, limitOf)).toEqual({ ok: true, message: '' });
    expect(new Set((await rows()).map(({ timeLimit }) => timeLimit))).toEqual(new Set([3_600]));
    for (const kind of ['hold', 'release'] as const) {
      expect(await changeJobs(run, { kind }, [rest])).toEqual({ ok: true, message: '' });
    }

    expect(await cancelJobs(run, [rest])).toEqual({ ok: true, message: '' });
    await vi.waitUntil(async () => !(await rows()).some(({ state }) => state.base === 'PENDING'), 10_000);
    expect(running(await rows()).toSorted()).toEqual([`${array}_1`, one, two].toSorted());
    await cancelJobs(run, [array, one, two]);
  });

  it('reaches all listeners through one tracker', async () => {
    const tracker = createTracker({
      run,
      clock: systemClock,
      intervalMs: 60_000,
      scope: { kind: 'mine' },
      log: silentLog(),
    });
    tracker.start();
    try {
      await vi.waitUntil(() => tracker.view().at !== null, 10_000);
      const job = await start('sleep 0.1');
      tracker.pollSoon();
      await vi.waitUntil(() => tracker.row(job.jobId)?.key === job.key, 10_000);
    } finally {
      await tracker.stop();
    }
  });

  it('describes the cluster', async () => {
    const site = await readClusterInfo(run);
    expect(site.version).toMatch(/^\d+\.\d+/);
    expect(site).toMatchObject({ accounting: hasAccounting, minJobAge: 300, rateLimit: null });
    expect(site.partitions?.map((partition) => partition.name)).toEqual(testSite().slurmPartitions);
    expect(site.partitions?.filter((partition) => partition.isDefault)).toHaveLength(1);
  });
});

describe('Slurm not answering', () => {
  it('is silence while the controller is down', async () => {
    const conf = join(dir, 'away.conf');
    const real = await readFile(testSite().slurmConf, 'utf8');
    await writeFile(conf, real.replace(/^SlurmctldPort=.*$/m, 'SlurmctldPort=1'));
    const away = createRunner({ env: environment(conf) });
    const job: Started = { jobId: '1', key: 'x', log: '', record: '' };
    const answers = await Promise.all([
      queryJobs(away, { kind: 'mine' }),
      showJob(away, '1'),
      findJob(away, { key: 'x', since: Date.now() }),
      end(job, away),
      submit(away, ['--parsable', '--output=/dev/null', template]),
      cancelJobs(away, ['1']),
      queryJobs(away, { kind: 'mine' }, { timeoutMs: 300 }),
    ]);
    expect(answers.map((answer) => ('kind' in answer ? answer.kind : answer.ok))).toEqual([
      'silence',
      'silence',
      'silence',
      'unknown',
      'unclear',
      false,
      'silence',
    ]);
  });

  it('is replaced by the exit record once the controller has forgotten the job', async () => {
    let site: SlurmService | undefined;
    try {
      site = await startSlurm({
        dir: await mkdtemp(join(dir, 'forgetful-')),
        nodes: 1,
        log: silentLog(),
        env: process.env,
        minJobAge: 2,
      });
      const forgetful = createRunner({ env: environment(site.conf) });
      const good = await start('sleep 0.1', { command: forgetful });
      const bad = await start('exit 5', { command: forgetful });
      const silent = await start('exit 0', { command: forgetful });
      for (const job of [good, bad, silent]) {
        await vi.waitUntil(async () => (await showJob(forgetful, job.jobId)).kind === 'unknown-job', {
          timeout: 90_000,
          interval: 500,
        });
      }
      expect(await end(good, forgetful)).toMatchObject({ outcome: 'succeeded', how: 'record' });
      expect(await end(bad, forgetful)).toMatchObject({
        outcome: 'failed',
        exitCode: { code: 5 },
        how: 'record',
      });
      await rm(silent.record);
      expect(await end(silent, forgetful)).toMatchObject({ kind: 'lost' });
      expect(await findJob(forgetful, { key: good.key, since: Date.now() })).toMatchObject({ kind: 'none' });
    } finally {
      await site?.stop();
    }
  });
});
