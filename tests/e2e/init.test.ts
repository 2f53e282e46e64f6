import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { describeProcess, isCertainlyDead } from '../../src/worker/run-state/process-identity.js';
import { openBench, submitScripts, type Bench } from '../support/bench.js';
import { expectStatus, status } from '../support/lab.js';
import { runProgram } from '../support/program.js';
import { keys } from '../support/terminal.js';
import {
  freshEnvironment,
  nothingOld,
  profileFile,
  startWizard,
  type WizardDriver,
} from '../support/wizard-driver.js';
import { testSite } from '../support/test-site.js';

let bench: Bench;
let wizard: WizardDriver | undefined;
const broker = new URL(testSite().amqpUrl);

beforeEach(async () => {
  bench = await openBench();
});

afterEach(async () => {
  await wizard?.terminal.close();
  wizard = undefined;
  await bench.close();
});

function start(...args: string[]): WizardDriver {
  wizard = startWizard(args, freshEnvironment(bench));
  return wizard;
}

const init = async (args: readonly string[], over: Record<string, string> = {}, input?: string) =>
  runProgram(['init', ...args], { ...freshEnvironment(bench), ...over }, input);

const profile = async (): Promise<Record<string, Record<string, unknown>>> =>
  JSON.parse(await readFile(profileFile(bench), 'utf8')) as Record<string, Record<string, unknown>>;

/** A worker that is configured only by init runs an analysis. */
async function workerRunsATask(): Promise<void> {
  const worker = bench.start(
    ['--set', 'slurm.pollSeconds=1', '--set', 'girder.reportSeconds=0.2'],
    nothingOld,
  );
  const { girder } = bench;
  const results = girder.addFolder(girder.rootFolderId, 'results');
  const job = await bench.publish({ args: ['Show', { output: 'o', toFolder: results.id }, 'as written'] });
  expectStatus(await bench.ended(job), status.success);
  expect(await bench.text(results.id, 'o')).toBe('as written\n');
  worker.signal('SIGTERM');
  expect(await worker.ended).toBe(0);
}

/** From the directories to the broker's password, with Enter for every proposal that fits the test site. */
async function answerToBroker({ answer }: WizardDriver): Promise<void> {
  await answer('Partition of jobs');
  await answer('Time limit', '0:10:00');
  await answer('Memory of a job');
  await answer('CPUs of a job');
  await answer('Partition of jobs that need a GPU');
  await answer('GPUs of a job that needs one');
  await answer('Also write files to run');
  await answer('RabbitMQ host', `${broker.hostname}:${broker.port}`);
  await answer('RabbitMQ user', decodeURIComponent(broker.username));
}

describe('at a terminal', () => {
  test('corrects wrong answers, resumes after Ctrl-C, and changes answers later', async () => {
    const base = join(bench.dir, 'shared');
    const file = join(bench.dir, 'file');
    await writeFile(file, '');
    const first = start();
    await first.answer('Shared directory of your group', file);
    await first.terminal.waitFor(`${file} is not a directory.`);
    await first.retype('Shared directory of your group', base);
    await first.until('Inputs and outputs of runs');
    // back, and the answer is proposed
    first.terminal.press(`<${keys.enter}`);
    const again = await first.until('Shared directory of your group');
    expect(again).toContain(`Shared directory of your group [${base}]`);
    await first.answer('Shared directory of your group');
    const proposed = await first.until('Inputs and outputs of runs');
    expect(proposed).toContain(`[${join(base, 'tmp')}]`);
    await first.answer('Inputs and outputs of runs');
    await first.answer('Logs of jobs');
    await first.answer('Container images', bench.settings.dirs.images ?? '');
    await first.answer('Submit script');
    await answerToBroker(first);
    await first.answer('RabbitMQ password', 'not-the-password');
    const refused = await first.terminal.waitFor(/refused the user/);
    expect(refused.join('\n')).not.toContain('not-the-password');
    await first.retype('RabbitMQ password', decodeURIComponent(broker.password));
    await first.until('Address of Girder');
    first.terminal.press(keys.ctrlC);
    expect(await first.terminal.ended).toBe(130);
    expect(first.terminal.screen().join('\n')).toContain('run init again to continue');
    expect(first.terminal.written()).not.toContain(decodeURIComponent(broker.password));
    await expect(stat(profileFile(bench))).rejects.toThrow('ENOENT');
    const kept = join(profileFile(bench), '../init/default.progress.json');
    expect((await stat(kept)).mode & 0o777).toBe(0o600);

    const second = start();
    await second.answer('Continue from there?');
    await second.answer('Address of Girder', bench.girder.apiUrl);
    await second.answer('API key');
    await second.answer('How is the worker started?');
    await second.answer('Submit it now?');
    const list = await second.until('What next?', 60_000);
    expect(list).toContain('answered after');
    expect(list).toContain(`new      ${join(base, 'singularity.slurm')}`);
    await second.answer('What next?');
    await second.until('Start the worker now?', 60_000);
    await second.answer('Start the worker now?');
    await second.terminal.waitFor('Next: ', 60_000);
    expect(await second.terminal.ended).toBe(0);
    expect(second.terminal.written()).not.toContain(decodeURIComponent(broker.password));
    expect((await stat(profileFile(bench))).mode & 0o777).toBe(0o600);
    expect((await profile())['slurm']).toMatchObject({
      time: '0:10:00',
      partition: testSite().slurmPartitions[0],
    });
    await expect(stat(kept)).rejects.toThrow('ENOENT');
    await workerRunsATask();

    const third = start('--time', '0:20:00');
    for (const question of [
      'Shared directory of your group',
      'Inputs and outputs',
      'Logs of',
      'Container images',
      'Submit script',
      'Partition of jobs',
      'Memory',
      'CPUs',
      'Partition of jobs that need a GPU',
      'GPUs of a job',
      'Also write files',
      'RabbitMQ host',
      'RabbitMQ user',
      'RabbitMQ password',
      'Address of Girder',
      'API key',
      'How is the worker',
    ]) {
      await third.answer(question);
    }
    await third.answer('Submit it now?', 'n');
    const changes = await third.until('What next?');
    expect(changes).toContain(`changed  ${profileFile(bench)}`);
    expect(changes).toMatch(/same {5}\/.*run\.sh/);
    await third.answer('What next?');
    await third.until('Start the worker now?', 60_000);
    // the second choice: in the background
    third.terminal.press(`${keys.down}${keys.enter}`);
    const closing = await third.terminal.waitFor('Analyses submitted in Girder run on Slurm now.', 60_000);
    const pid = Number(/The worker runs, as process (\d+)\./.exec(closing.join('\n'))?.[1]);
    const worker = await describeProcess(pid);
    process.kill(pid, 'SIGTERM');
    await bench.until(async () => isCertainlyDead(worker));
    expect(await third.terminal.ended).toBe(0);
    expect((await profile())['slurm']).toMatchObject({ time: '0:20:00' });
  });

  test('migrates from the Python worker’s run.sh and keeps its submit script', async () => {
    const old = join(bench.dir, 'old');
    await mkdir(old);
    const { TMP, LOGS, SIF_IMAGE_PATH } = bench.env;
    const script = join(old, 'singularity.slurm');
    await writeFile(script, submitScripts.classic);
    await mkdir(LOGS ?? '', { recursive: true });
    await writeFile(
      join(old, 'run.sh'),
      [
        '#!/bin/bash',
        `export TMP="${TMP}"`,
        `export LOGS=${LOGS}`,
        `export SIF_IMAGE_PATH='${SIF_IMAGE_PATH}'`,
        `export GIRDER_WORKER_SLURM_SUBMIT_SCRIPT=${script}`,
        `export GIRDER_WORKER_BROKER="${broker.href}"`,
        `touch ${join(old, 'executed')}`,
        'python -m girder_worker -l info',
        '',
      ].join('\n'),
    );
    const driver = start('--from', old);
    await driver.terminal.waitFor(join(old, 'run.sh'));
    await driver.answer('Shared directory of your group');
    const tmp = await driver.until('Inputs and outputs of runs');
    expect(tmp).toContain(`[${TMP}]`);
    for (const question of [
      'Inputs and outputs',
      'Logs of',
      'Container images',
      'Submit script',
      'Partition of jobs',
      'Time limit',
      'Memory',
      'CPUs',
      'Partition of jobs that need a GPU',
      'GPUs of a job',
      'Also write files',
      'RabbitMQ host',
      'RabbitMQ user',
      'RabbitMQ password',
    ]) {
      await driver.answer(question);
    }
    await driver.answer('Address of Girder', bench.girder.apiUrl);
    await driver.answer('API key');
    await driver.answer('How is the worker');
    await driver.answer('Submit it now?', 'n');
    const list = await driver.until('What next?');
    // init did not write the existing script
    expect(list).toContain(`edited   ${script}`);
    await driver.answer('What next?');
    await driver.until('What should be done with it?');
    // Enter keeps it
    await driver.answer('What should be done with it?');
    await driver.until('Start the worker now?', 60_000);
    await driver.answer('Start the worker now?');
    expect(await driver.terminal.ended).toBe(0);
    expect(await readFile(script, 'utf8')).toBe(submitScripts.classic);
    await expect(stat(join(old, 'executed'))).rejects.toThrow('ENOENT');
    expect((await profile())['dirs']).toMatchObject({ tmp: TMP, logs: LOGS, images: SIF_IMAGE_PATH });
    await workerRunsATask();
  });
});

describe('without a terminal', () => {
  const given = (): string[] => [
    '--base',
    join(bench.dir, 'shared'),
    '--images',
    bench.settings.dirs.images ?? '',
    '--partition',
    testSite().slurmPartitions[0] ?? '',
    '--answer',
    'slurm.time=0:10:00',

    '--broker',
    `${broker.hostname}:${broker.port}`,
    '--broker-user',
    decodeURIComponent(broker.username),
    '--girder',
    bench.girder.apiUrl,
    '--service',
    'script',
    '--yes',
  ];
  const password = { DSA_SLURM_INIT_BROKER_PASSWORD: decodeURIComponent(broker.password) };

  test('sets up a working worker from flags and a secret in the environment', async () => {
    const dry = await init([...given(), '--dry-run'], password);
    expect(dry.stderr).not.toContain('internal error');
    expect(dry.code).toBe(0);
    expect(dry.stdout).toContain('+#SBATCH --time=0:10:00');
    expect(dry.stdout).not.toContain(password.DSA_SLURM_INIT_BROKER_PASSWORD);
    await expect(readdir(join(bench.dir, 'shared'))).rejects.toThrow('ENOENT');
    await expect(stat(profileFile(bench))).rejects.toThrow('ENOENT');

    const done = await init([...given(), '--probe', '--json'], password);
    expect(done.code, done.stderr).toBe(0);
    const result = JSON.parse(done.stdout) as {
      written: string[];
      doctor: { id: string; status: string; evidence: string[] }[];
    };
    expect(result.written).toHaveLength(3);
    expect(result.doctor.find(({ id }) => id === 'rabbitmq.connect')).toMatchObject({ status: 'ok' });
    // what its job has proved from a node
    expect(result.doctor.find(({ id }) => id === 'directories.tmp')?.evidence.join('\n')).toMatch(
      /: used by \S+ \(partition /,
    );
    expect(done.stdout + done.stderr).not.toContain(password.DSA_SLURM_INIT_BROKER_PASSWORD);
    await workerRunsATask();

    // the same again, from the answers file of the first time, changes nothing
    const printed = await init(['--print-answers']);
    expect(printed.stdout).not.toContain(password.DSA_SLURM_INIT_BROKER_PASSWORD);
    expect((await init(['--print-answers'])).stdout).toBe(printed.stdout);
    const answers = join(bench.dir, 'site.yaml');
    await writeFile(answers, printed.stdout);
    const before = await readFile(profileFile(bench), 'utf8');
    const again = await init(['--answers', answers, '--yes', '--json']);
    expect(again.code, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ written: [] });
    expect(await readFile(profileFile(bench), 'utf8')).toBe(before);
    // for another site
    const other = await init(
      ['--answers', answers, '--answers-stdin', '--yes'],
      { XDG_CONFIG_HOME: join(bench.dir, 'other') },
      `broker.password=${password.DSA_SLURM_INIT_BROKER_PASSWORD}\n`,
    );
    expect(other.code, other.stderr).toBe(0);
    expect(await readFile(join(bench.dir, 'other/dsa-slurm/default.json'), 'utf8')).toBe(before);
  });

  test('reports all missing and invalid answers at once', async () => {
    const result = await init(['--yes', '--tmp', 'relative', '--partition', 'nowhere']);
    expect(result.code).toBe(2);
    for (const part of [
      'dirs.tmp (--tmp): This is not an absolute path.',
      'There is no partition nowhere.',
      'dirs.logs in the answers file',
      'DSA_SLURM_INIT_BROKER_HOST',
      'Address of Girder’s API: not given.',
    ]) {
      expect(result.stderr).toContain(part);
    }
    expect((await init([])).stderr).toContain('init needs a terminal');
    const secret = await init(['--yes', '--answer', 'broker.password=hush-hush']);
    expect(secret.code).toBe(2);
    expect(secret.stderr).toContain('every user of this machine can read flags');
    expect(secret.stderr).not.toContain('hush-hush');
  });
});
