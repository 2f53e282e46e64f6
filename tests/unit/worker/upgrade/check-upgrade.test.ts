import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { silentLog } from '../../../../src/base/log.js';
import { openJournal } from '../../../../src/worker/run-state/journal.js';
import { journalVersion } from '../../../../src/worker/run-state/journal-lines.js';
import { describeSelf } from '../../../../src/worker/run-state/process-identity.js';
import { checkUpgrade, type CheckUpgradeOptions } from '../../../../src/worker/upgrade/check-upgrade.js';
import { renderUpgrade } from '../../../../src/worker/upgrade/render-upgrade.js';
import { heldLease } from '../../../support/lease.js';
import { someTask } from '../../../support/tasks.js';
import { runCli, temporaryHome } from '../../cli/support.js';
import { failed, fakeRun, printed, timedOut } from '../../slurm/fake-run.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-upgrade-'));
});
afterEach(async () => rm(dir, { recursive: true }));

const check = async (over: Partial<CheckUpgradeOptions> = {}) =>
  checkUpgrade({
    profile: 'default',
    stateDirectory: dir,
    env: { HOME: dir },
    version: '0.1.0',
    registry: null,
    ...over,
  });

/** This process holds the state directory, as a worker of this version. */
async function runsAs(version: string | null): Promise<void> {
  await writeFile(join(dir, 'worker.owner'), JSON.stringify(await describeSelf()));
  const status = {
    at: Date.now(),
    version,
    broker: { state: 'consuming', problem: null },
    jobsAt: null,
    jobsProblem: null,
    inFlight: 0,
    problem: null,
  };
  await writeFile(join(dir, 'worker.status.json'), JSON.stringify(status));
}

async function withRuns(): Promise<void> {
  const { journal } = await openJournal(dir, silentLog(), heldLease);
  for (const id of ['run-1', 'run-2']) {
    await journal.append(id, { type: 'accepted', at: 1, task: someTask({ id }), refusal: null });
  }
  await journal.append('run-1', { type: 'staging', at: 2 });
  await journal.close();
}

test('without a state directory, there is nothing to do', async () => {
  const found = await check({ stateDirectory: join(dir, 'missing') });
  expect(found).toMatchObject({
    running: null,
    journal: { version: null, inFlight: {} },
    restart: { needed: false, safe: true, notes: [] },
    published: null,
    next: [],
  });
  expect(renderUpgrade(found)).toContain('nothing to restart');
});

describe('a running worker', () => {
  test('of another version can be replaced while it has runs', async () => {
    await withRuns();
    await runsAs('0.0.9');
    const found = await check();
    expect(found).toMatchObject({
      installed: { version: '0.1.0', journalVersion },
      running: { version: '0.0.9', pid: process.pid, host: hostname() },
      journal: { version: journalVersion, inFlight: { staging: 1, accepted: 1 } },
      restart: { needed: true, safe: true, notes: [] },
      changes: [{ version: '0.1.0' }],
      next: [`kill -TERM ${process.pid}`, 'dsa-slurm worker', 'dsa-slurm doctor'],
    });
    expect(renderUpgrade(found)).toMatch(
      /2 runs in flight \(1 \w+, 1 \w+\)\nRestart +safe: Slurm jobs continue/,
    );
  });

  test('is restarted by its unit, if it has one', async () => {
    await runsAs('0.0.9');
    await mkdir(join(dir, '.config/systemd/user'), { recursive: true });
    await writeFile(join(dir, '.config/systemd/user/dsa-slurm-lab.service'), '');
    expect((await check({ profile: 'lab' })).next).toEqual([
      'systemctl --user restart dsa-slurm-lab.service',
      'dsa-slurm --profile lab doctor',
    ]);
  });

  test('of the same version needs no restart', async () => {
    await runsAs('0.1.0');
    expect(await check()).toMatchObject({ restart: { needed: false, safe: true }, changes: [], next: [] });
  });

  test('that does not tell its version is not taken for another one', async () => {
    await runsAs(null);
    const found = await check();
    expect(found).toMatchObject({ running: { version: null }, restart: { needed: null, safe: true } });
    expect(found.restart.notes.join()).toContain('is unknown');
  });

  test('of a newer version is named as one', async () => {
    await runsAs('9.0.0');
    expect((await check()).restart.notes).toEqual(['This would be a step back from 9.0.0 to 0.1.0.']);
  });
});

async function writeFormat(version: number): Promise<void> {
  await writeFile(join(dir, 'journal.jsonl'), `{"journal":"dsa-slurm","version":${version}}\n`);
}

describe('the journal', () => {
  test('of a newer format makes a restart unsafe', async () => {
    await writeFormat(journalVersion + 1);
    await runsAs('9.0.0');
    const found = await check();
    expect(found.journal).toMatchObject({ version: journalVersion + 1, inFlight: null });
    expect(found.restart).toMatchObject({ needed: true, safe: false });
    expect(found.next).toEqual([]);
    expect(renderUpgrade(found)).toContain('would fail');
  });

  test('of an older format is read, and the way back is described', async () => {
    await writeFormat(1);
    const { restart } = await check();
    expect(restart.safe).toBe(true);
    expect(restart.notes.join()).toContain(
      `rewritten in format ${journalVersion}, which the older version refuses`,
    );
  });

  test('with damaged lines is reported', async () => {
    await writeFile(join(dir, 'journal.jsonl'), '{"journal":"dsa-slurm","version":4}\nnonsense\n');
    expect((await check()).restart.notes.join()).toContain('1 line of the journal cannot be read');
  });
});

describe('the npm registry', () => {
  test.each([
    ['has a newer version', printed('"0.10.0"\n'), { version: '0.10.0', newer: true, problem: null }],
    ['has this version', printed('"0.1.0"\n'), { version: '0.1.0', newer: false, problem: null }],
    [
      'has no such package',
      failed('npm error code E404\n'),
      { version: null, newer: false, problem: 'it has no package dsa-slurm' },
    ],
    ['is offline', timedOut, { version: null, newer: false, problem: expect.any(String) as string }],
    [
      'answers with nonsense',
      printed('<html>'),
      { version: null, newer: false, problem: expect.any(String) as string },
    ],
  ])('%s', async (_, answer, published) => {
    const { run, calls } = fakeRun(() => answer);
    const found = await check({ registry: run });
    expect(found.published).toEqual(published);
    expect(found.next).toEqual(published.newer ? ['npm install --global dsa-slurm'] : []);
    expect(calls.map(({ file, args }) => [file, ...args].join(' '))).toEqual([
      'npm view dsa-slurm version --json',
    ]);
    expect(renderUpgrade(found)).toContain('Published');
  });
});

describe('dsa-slurm upgrade', () => {
  test('needs --check', async () => {
    const { env } = temporaryHome();
    const answer = await runCli(['upgrade'], { env });
    expect(answer.code).toBe(2);
    expect(answer.stderr).toContain('dsa-slurm upgrade --check');
  });

  test('exits with 1 if this version would refuse the journal, 0 otherwise', async () => {
    const { env } = temporaryHome();
    const args = ['upgrade', '--check', '--json', '--set', `dirs.state=${dir}`];
    expect((await runCli(args, { env })).code).toBe(0);
    await writeFile(join(dir, 'journal.jsonl'), `{"journal":"dsa-slurm","version":${journalVersion + 1}}\n`);
    const answer = await runCli(args, { env });
    expect(answer.code).toBe(1);
    expect(JSON.parse(answer.stdout)).toMatchObject({ restart: { safe: false } });
  });
});
