import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { WorkerAction } from '../../../src/worker/actions/action.js';
import type { LogTail, RunView } from '../../../src/worker/views/handle.js';
import type { RemoteWorker } from '../../../src/worker/socket/remote-worker.js';
import { connectWorker } from '../../../src/worker/socket/connect.js';
import type { LiveViews } from '../../../src/worker/views/live-views.js';
import type { GirderJob } from '../../../src/sandbox/fake-girder/index.js';
import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';

let lab: Lab;
let one: RemoteWorker;
let other: RemoteWorker;

beforeAll(async () => {
  lab = await openLab();
  one = await connectWorker({ stateDirectory: lab.settings.dirs.state });
  other = await connectWorker({ stateDirectory: lab.settings.dirs.state, readOnly: true });
});

afterAll(async () => {
  one.close();
  other.close();
  await lab.close();
});

const never = ['Wait', '/mnt/never'];

async function seenBy(
  handle: RemoteWorker,
  job: GirderJob,
  fits: (run: RunView) => boolean,
): Promise<RunView> {
  return lab.until(() => handle.snapshot().runs.find((run) => run.girderJobId === job.id && fits(run)));
}

test('two consoles show the same run, and one of them cancels its real Slurm job', async () => {
  const job = await lab.publish({ args: never, title: 'Liver' });
  const run = await seenBy(one, job, ({ stage }) => stage === 'running');
  expect(await seenBy(other, job, ({ stage }) => stage === 'running')).toEqual(run);
  await lab.until(() => one.snapshot().jobs.rows.some(({ id }) => id === run.jobId));
  await lab.until(() => other.snapshot().jobs.rows.some(({ id }) => id === run.jobId));

  const tails: LogTail[] = [];
  const stop = one.followLog(run.id, (tail) => tails.push(tail));
  await lab.until(() => tails.at(-1)?.lines.some((line) => line.includes('tick')));
  stop();
  const answer = await one.runDetail(run.id);
  expect(answer).toMatchObject({ ok: true, detail: { run: { id: run.id }, sbatch: expect.any(Array) } });
  expect(await other.jobDetail(run.jobId ?? '')).toMatchObject({ problem: null, jobId: run.jobId });
  let cluster: LiveViews['cluster'] | null = null;
  const stopCluster = other.watch('cluster', (view) => (cluster = view));
  await lab.until(() => cluster !== null && cluster.nodes.length === 4);
  stopCluster();

  const cancel: WorkerAction = { kind: 'cancel', runs: [run.id], jobs: [] };
  expect(await other.act(cancel)).toMatchObject({ ok: false, message: expect.stringContaining('read-only') });
  expect(await other.pause()).toMatchObject({ ok: false });
  expect(await one.act(cancel)).toEqual({ ok: true, message: `scancel ${run.jobId}: done` });
  expectStatus(await lab.ended(job), status.canceled);
  for (const handle of [one, other]) {
    expect(await seenBy(handle, job, ({ stage }) => stage === 'finished')).toMatchObject({
      outcome: 'canceled',
    });
  }
  expect(await lab.command('scontrol', ['show', 'job', run.jobId ?? ''])).toMatchObject({
    stdout: expect.stringContaining('JobState=CANCELLED'),
  });
});

test('a restarted worker is found again, with its runs', async () => {
  const job = await lab.publish({ args: never });
  const run = await seenBy(one, job, ({ stage }) => stage === 'running');
  await lab.worker.stop();
  await lab.until(() => one.snapshot().link.kind === 'socket' && troubleOf(one) !== null);
  // the last data is still shown
  expect(one.snapshot().runs).toContainEqual(run);
  expect(await one.act({ kind: 'cancel', runs: [run.id], jobs: [] })).toMatchObject({ ok: false });
  await lab.startWorker();
  await lab.until(() => troubleOf(one) === null && troubleOf(other) === null);
  await seenBy(one, job, ({ stage }) => stage === 'running');
  expect(await one.act({ kind: 'cancel', runs: [run.id], jobs: [] })).toMatchObject({ ok: true });
  expectStatus(await lab.ended(job), status.canceled);
});

function troubleOf(handle: RemoteWorker): string | null {
  const { link } = handle.snapshot();
  return link.kind === 'socket' ? link.problem : null;
}

/** Only root can act as another user. */
test.runIf(process.getuid?.() === 0)('another user reaches neither the socket nor the cookie', async () => {
  const state = lab.settings.dirs.state;
  const file = join(state, 'worker.socket.json');
  const { path } = JSON.parse(await readFile(file, 'utf8')) as { path: string };
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const place = await mkdtemp(join(tmpdir(), 'dsa-other-'));
  try {
    // a program that any user may run
    const program = join(place, 'node');
    await copyFile(process.execPath, program);
    await chmod(place, 0o755);
    await chmod(program, 0o755);
    const script = `
      require('node:net').connect(${JSON.stringify(path)})
        .on('connect', () => console.log('connected')).on('error', ({ code }) => console.log(code));
      try { require('node:fs').readFileSync(${JSON.stringify(file)}); console.log('read'); }
      catch ({ code }) { console.log(code); }`;
    const child = spawn(program, ['-e', script], { uid: 65_534, gid: 65_534, cwd: '/', env: {} });
    let message = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (message += text));
    await once(child, 'close');
    expect(message.trim().split('\n')).toEqual(['EACCES', 'EACCES']);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
});
