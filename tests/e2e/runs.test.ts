import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { GirderJob } from '../../src/sandbox/fake-girder/index.js';
import { openBench, type Bench } from '../support/bench.js';
import { expectStatus, status, statuses } from '../support/lab.js';
import { runProgram, type Program } from '../support/program.js';

let bench: Bench;

beforeEach(async () => {
  bench = await openBench();
});

afterEach(async () => {
  await bench.close();
});

const runs = async (...args: string[]) => runProgram(['runs', ...args], bench.env);
const idOf = (job: GirderJob): string => job.celeryTaskId ?? '';
const logOf = (job: GirderJob): string => (bench.girder.job(job.id) ?? job).log.join('');
const now = (job: GirderJob): GirderJob => bench.girder.job(job.id) ?? job;

async function kill(worker: Program): Promise<void> {
  worker.signal('SIGKILL');
  expect(await worker.ended).toBe('SIGKILL');
}

async function list(...args: string[]): Promise<{ id: string; stage: string; outcome: string | null }[]> {
  const { code, stdout } = await runs('list', '--json', ...args);
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { runs: { id: string; stage: string; outcome: string | null }[] }).runs;
}

describe('while no worker runs', () => {
  test('runs are listed, shown, canceled, run again and forgotten, and each outcome is reported once', async () => {
    const first = bench.start();
    const going = await bench.publish({ args: ['Wait', bench.gate('never')] });
    // messages that arrive together can be accepted in any order, and the list is in that order
    await bench.until(() => logOf(going).includes('tick 2'));
    const failing = await bench.publish({ args: ['Fail', { token: true }], title: 'Count cells' });
    await bench.ended(failing);
    await bench.until(() => first.stderr().includes('"msg":"finished"'));
    await kill(first);

    expect(await list()).toMatchObject([
      { id: idOf(failing), stage: 'finished', outcome: 'failed' },
      { id: idOf(going), stage: 'running', outcome: null },
    ]);
    expect(await list('--outcome', 'failed', '--since', '1h')).toHaveLength(1);
    const table = await runs('list', '--stage', 'running');
    expect(table.stdout).toMatch(new RegExp(`^RUN .*\\n${idOf(going).slice(0, 8)} +running `));
    expect(table.stderr).toContain('no worker is running');
    const shown = await runs('show', idOf(failing).slice(0, 8));
    expect(shown.stdout).toMatch(/^state +failed/m);
    expect(shown.stdout).toMatch(/^job end +FAILED, exit code 3/m);

    const canceled = await runs('cancel', going.id);
    expect(canceled).toMatchObject({ code: 0, stderr: '' });
    expect(canceled.stdout).toMatch(
      /will end as canceled when the worker starts; its Slurm job \d+ is canceled/,
    );
    await bench.until(async () => (await bench.slurmJobs(going))[0]?.state === 'CANCELLED');
    expect(statuses(now(going)).at(-1)).toBe(status.running);

    const again = await runs('retry', '--json', '--outcome', 'failed');
    expect(again.code).toBe(0);
    const [newId] = (JSON.parse(again.stdout) as { runs: string[] }).runs;
    const retried = bench.girder.jobs().find(({ celeryTaskId }) => celeryTaskId === newId);
    expect(retried).toMatchObject({ title: 'Count cells (retry)', parentId: failing.id });
    const twice = await runs('retry', idOf(failing));
    expect(twice.code).toBe(1);
    expect(twice.stderr).toContain(`was already retried as run ${newId}`);

    const second = bench.start();
    const [wasCanceled, ranAgain] = [await bench.ended(going), await bench.ended(retried as GirderJob)];
    expectStatus(wasCanceled, status.canceled);
    expect(statuses(wasCanceled)).toEqual([status.running, status.canceled]);
    expectStatus(ranAgain, status.error);
    expect(ranAgain.log.join('')).toContain(`Retry of the Girder job ${failing.id}`);
    expect(ranAgain.log.join('')).toContain('the slide has no tissue');
    expect(await bench.slurmJobs(ranAgain)).toHaveLength(1);
    expect(await bench.slurmJobs(failing)).toHaveLength(1);
    expect(statuses(now(failing))).toEqual([status.running, status.error]);
    await bench.until(() => second.stderr().split('"msg":"finished"').length === 3);

    const messages = join(bench.stateDir, 'messages');
    const kept = await readdir(messages);
    expect(kept).toHaveLength(2);
    for (const name of kept) expect((await stat(join(messages, name))).mode & 0o777).toBe(0o600);
    await kill(second);

    expect(await runs('forget', newId ?? '', idOf(failing), idOf(going))).toMatchObject({ code: 0 });
    expect(await list()).toEqual([]);
    expect(await readdir(messages)).toEqual([]);
    const journal = await readFile(join(bench.stateDir, 'journal.jsonl'), 'utf8');
    expect(journal).not.toContain(newId);
    expect(await runs('show', newId ?? '')).toMatchObject({ code: 3 });
  });
});

describe('while a worker runs', () => {
  test('the worker lists, shows, cancels, runs again and forgets; an unreachable worker keeps its runs', async () => {
    const worker = bench.start();
    const going = await bench.publish({ args: ['Wait', bench.gate('never')] });
    await bench.until(() => logOf(going).includes('tick 2'));
    const failing = await bench.publish({ args: ['Fail'] });
    await bench.ended(failing);
    await bench.until(() => worker.stderr().includes('"msg":"finished"'));
    const all = await runs('list', '--json');
    expect(JSON.parse(all.stdout)).toMatchObject({
      source: 'worker',
      worker: { pid: worker.pid },
      runs: [
        { id: idOf(failing), outcome: 'failed' },
        { id: idOf(going), stage: 'running' },
      ],
    });
    expect((await runs('show', going.id)).stdout).toMatch(/^state +running/m);

    // as where it runs on another host
    const address = join(bench.stateDir, 'worker.socket.json');
    await rename(address, `${address}.away`);
    const held = await runs('cancel', idOf(going));
    expect(held).toMatchObject({ code: 4, stdout: '' });
    expect(held.stderr).toContain(`process ${worker.pid}`);
    expect(await list('--stage', 'running')).toHaveLength(1);
    await rename(`${address}.away`, address);

    const again = await runs('retry', '--json', failing.id);
    expect(again).toMatchObject({ code: 0 });
    const [newId] = (JSON.parse(again.stdout) as { runs: string[] }).runs;
    expect(await runs('retry', failing.id)).toMatchObject({ code: 1 });
    expect(await runs('cancel', idOf(going))).toMatchObject({ code: 0 });
    expectStatus(await bench.ended(going), status.canceled);
    const retried = bench.girder.jobs().find(({ celeryTaskId }) => celeryTaskId === newId);
    expectStatus(await bench.ended(retried as GirderJob), status.error);
    await bench.until(() => worker.stderr().split('"msg":"finished"').length === 4);
    expect(await runs('forget', '--outcome', 'failed')).toMatchObject({ code: 0 });
    expect(await list()).toMatchObject([{ id: idOf(going), outcome: 'canceled' }]);
    expect(await runs('forget', newId ?? '')).toMatchObject({ code: 3 });
  });
});
