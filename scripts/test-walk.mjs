// npm run test:walk [-- --keep]
//
// The walk of an operator, from an empty directory and with the package as it would be published: install, sandbox, init, doctor,
// a service, the console, an upgrade while jobs run, a scrape by a real Prometheus, and a migration from the girder_worker of PyPI.
// RabbitMQ and Slurm are real; Girder and the containers are those of `npm run bench`. `npm run test:fresh` follows the README in
// a fresh Debian; this one goes on where that ends. Needs Debian's packages prometheus and redis-server, and PyPI.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn as spawnInTerminal } from '@lydell/node-pty';
import { createRunner } from '../build/base/command.js';
import { analysisMessage } from '../build/sandbox/producer/message.js';
import { installRealGirder, testCache } from '../build/sandbox/real-girder/service.js';
import { freePorts } from '../build/sandbox/tcp-ports.js';
import { openSite, isFinal, until } from './bench/site.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const oldWorker = fileURLToPath(new URL('../tests/integration/wizard/old_worker.py', import.meta.url));
const failures = [];
const children = [];
const site = await openSite();
const home = join(site.dir, 'home');
const logFile = join(root, 'build', 'walk.log');
rmSync(logFile, { force: true });
// of Girder's default
const queue = 'celery';
for (const name of ['', 'shared', 'shared/tmp', 'shared/logs', 'migrated', 'python'])
  mkdirSync(join(home, name), { mode: 0o700 });

const broker = new URL(site.rabbitmq.url);
const env = {
  // the operator's Node.js is the one of this script
  PATH: `${join(home, '.local/bin')}:${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
  HOME: home,
  BENCH_MARKS: join(home, 'marks'),
  DSA_SLURM_INIT_BROKER_PASSWORD: decodeURIComponent(broker.password),
  ...site.slurm.env,
};
writeFileSync(env.BENCH_MARKS, '');

/** Runs a program to its end. @returns its exit code and output */
async function run(file, args, options = {}) {
  appendFileSync(logFile, `\n$ ${file} ${args.join(' ')}\n`);
  const child = spawn(file, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
      appendFileSync(logFile, text);
    });
  }
  const [code] = await once(child, 'close');
  return { code, ...output };
}

const dsaSlurm = (...args) => run('dsa-slurm', args);
/** The same with the profile that `migrate` writes. */
const migrated = (...args) => dsaSlurm('--profile', 'migrated', ...args);

/** Runs a step, and prints how it went. It fails by throwing. */
async function step(title, work) {
  const began = performance.now();
  let wrong = '';
  try {
    await work();
  } catch (error) {
    wrong = error.message;
    failures.push(title);
  }
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  process.stdout.write(
    `${wrong === '' ? '✓' : '✗'} ${title} (${seconds} s)${wrong === '' ? '' : `: ${wrong}`}\n`,
  );
}

function expect(isSo, what) {
  if (!isSo) throw new Error(what);
}

function succeeded({ code, stdout, stderr }) {
  expect(code === 0, `exit code ${code}\n${(stdout + stderr).trimEnd().split('\n').slice(-15).join('\n')}`);
  return stdout;
}

/** Packs this program with a version, as it would be published. @returns the path of the package */
function packWith(version) {
  const work = join(site.dir, `package-${version}`);
  mkdirSync(work);
  const pack = (directory) =>
    execFileSync('npm', ['pack', '--silent', '--ignore-scripts', `--pack-destination=${work}`], {
      cwd: directory,
      encoding: 'utf8',
    }).trim();
  const first = pack(root);
  execFileSync('tar', ['-xzf', join(work, first), '-C', work]);
  const manifest = join(work, 'package', 'package.json');
  writeFileSync(
    manifest,
    readFileSync(manifest, 'utf8').replace(/"version": "[^"]+"/, `"version": "${version}"`),
  );
  return join(work, pack(join(work, 'package')));
}

const install = async (tarball) =>
  succeeded(
    await run(
      'npm',
      [
        'install',
        '--global',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--prefix',
        join(home, '.local'),
        tarball,
      ],
      {
        // with the npm settings and the cache of this machine
        env: process.env,
      },
    ),
  );

let published = 0;
const channel = await site.connection.createConfirmChannel();
await channel.assertQueue(queue, { durable: true });
const folder = site.girder.addFolder(site.girder.rootFolderId, 'walk');
const input = await site.girder.addFile(folder.id, 'input.txt', Buffer.from('a small input\n'));

/** Publishes an analysis that takes so many seconds. @returns its Girder job */
function publish(seconds) {
  published += 1;
  const taskId = `walk-${published}`;
  const title = `Walk ${published}`;
  const { girder } = site;
  const job = girder.createJob({ title, type: 'bench/image:v1#Bench', celeryTaskId: taskId });
  const args = [
    'Bench',
    { file: input.id, name: 'input.txt' },
    String(seconds),
    { output: 'result.txt', toFolder: folder.id },
  ];
  const message = analysisMessage(
    { spelling: 'docker', image: 'bench/image:v1', title, taskId, args },
    {
      apiUrl: girder.apiUrl,
      userId: girder.userId,
      userToken: () => girder.userToken,
      clientToken: girder.clientToken(),
    },
    { id: job.id, jobInfoSpec: girder.jobInfoSpec(job) },
  );
  const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
  channel.sendToQueue(queue, Buffer.from(JSON.stringify([message.args, message.kwargs, embed])), {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    correlationId: taskId,
    persistent: true,
    headers: { lang: 'py', task: message.task, id: taskId, ...message.headers },
  });
  return job;
}

/** Publishes a task that the Python worker holds until it may go on. @returns its id */
function publishHold() {
  const id = randomUUID();
  channel.sendToQueue(
    queue,
    Buffer.from('[[], {}, {"callbacks":null,"errbacks":null,"chain":null,"chord":null}]'),
    {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      correlationId: id,
      persistent: true,
      headers: { lang: 'py', task: 'old.hold', id, root_id: id, argsrepr: '()', kwargsrepr: '{}' },
    },
  );
  return id;
}

/** Starts the girder_worker of PyPI on the same queue; it is the one that `npm run test:girder` keeps. */
async function startPythonWorker(directory) {
  const { python } = await installRealGirder({
    major: 5,
    cache: testCache(process.env, tmpdir()),
    run: createRunner({ env: process.env }),
    say: (line) => appendFileSync(logFile, `${line}\n`),
  });
  await startWorker(python, [oldWorker, queue, 'celery@python', directory], {
    ...env,
    // root is asked not to unpickle
    C_FORCE_ROOT: '1',
    GIRDER_WORKER_BROKER: site.rabbitmq.url,
    GIRDER_WORKER_BACKEND: site.rabbitmq.url.replace(/^amqp/, 'rpc'),
  });
}

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

const areFinal = (jobs) => until('all analyses have ended', () => jobs.every(isFinal), 120);

/** Starts run.sh, which init has written. */
const startService = () => startWorker(join(home, '.config/dsa-slurm/run.sh'), []);

/** Starts a worker, and waits until the queue has a consumer. */
async function startWorker(file, args, environment = env) {
  const child = spawn(file, args, { cwd: home, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => appendFileSync(logFile, text));
  children.push(child);
  await until('the worker takes tasks', async () => {
    expect(child.exitCode === null, `the worker has ended with ${child.exitCode}`);
    return (await channel.checkQueue(queue)).consumerCount > 0;
  });
  return child;
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const [major, minor, patch] = version.split('-')[0].split('.').map(Number);
const later = `${major}.${minor}.${patch + 1}`;
const [metrics, prometheusPort] = await freePorts(2);

try {
  await step('Install the package, without running a script', async () => {
    await install(packWith(version));
    expect(succeeded(await dsaSlurm('--version')).trim() === version, 'it has another version');
  });

  await step('See a batch in the sandbox', async () => {
    const { ok } = JSON.parse(succeeded(await dsaSlurm('sandbox', '--no-console', '--json', '--count', '4')));
    expect(ok !== false, 'not all analyses ended as planned');
  });

  await step('Set up a site', async () => {
    const shared = join(home, 'shared');
    succeeded(
      await dsaSlurm(
        'init',
        '--yes',
        '--service',
        'script',
        '--base',
        shared,
        '--images',
        join(site.dir, 'images'),
        '--partition',
        'pathology',
        '--answer',
        'slurm.time=0:10:00',
        '--broker',
        broker.host,
        '--broker-user',
        decodeURIComponent(broker.username),
        '--girder',
        site.girder.apiUrl,
        '--apptainer',
        site.apptainer,
      ),
    );
    for (const [key, value] of [
      ['slurm.pollSeconds', '1'],
      ['slurm.mem', '100M'],
      ['slurm.environment', '["BENCH_MARKS"]'],
      ['girder.reportSeconds', '0.2'],
      ['metrics.listen', `127.0.0.1:${metrics}`],
    ]) {
      succeeded(await dsaSlurm('config', 'set', key, value));
    }
  });

  await step('Ask the doctor', async () => {
    const { checks } = JSON.parse((await dsaSlurm('doctor', '--json')).stdout);
    const failed = checks.filter(({ status }) => status === 'fail');
    expect(failed.length === 0, failed.map(({ id, evidence }) => `${id}: ${evidence}`).join('\n'));
  });

  let service;
  await step('Run the worker as a service', async () => {
    service = await startService();
    const jobs = [publish(0), publish(1)];
    await areFinal(jobs);
    expect(
      jobs.every(({ status }) => status === 3),
      jobs.map(({ log }) => log.join('')).join('\n'),
    );
    await until('status is OK', async () => (await dsaSlurm('status')).code === 0, 60);
  });

  await step('Watch it in the console', async () => {
    const terminal = spawnInTerminal('dsa-slurm', ['console'], {
      name: 'xterm-256color',
      cols: 120,
      rows: 40,
      cwd: home,
      env,
    });
    let text = '';
    terminal.onData((piece) => (text += piece));
    const exited = new Promise((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
    await until('the console shows the runs', () => text.includes('Walk 2'), 60);
    terminal.write('q');
    expect((await exited) === 0, 'the console did not exit with 0');
  });

  await step('Upgrade it while jobs run', async () => {
    const jobs = [publish(15), publish(15)];
    await until('both run', () => jobs.every(({ status }) => status === 2), 60);
    await install(packWith(later));
    const check = JSON.parse(succeeded(await dsaSlurm('upgrade', '--check', '--json')));
    expect(check.running.version === version, `the running worker is ${check.running.version}`);
    expect(
      check.installed.version === later && check.restart.needed && check.restart.safe,
      JSON.stringify(check),
    );
    await end(service);
    service = await startService();
    const after = JSON.parse(succeeded(await dsaSlurm('upgrade', '--check', '--json')));
    expect(after.running.version === later && after.restart.needed === false, JSON.stringify(after));
    await areFinal(jobs);
    expect(
      jobs.every(({ status }) => status === 3),
      jobs.map(({ log }) => log.join('')).join('\n'),
    );
  });

  await step('Scrape it with a real Prometheus', async () => {
    const config = join(home, 'prometheus.yml');
    const targets = [{ targets: [`127.0.0.1:${metrics}`] }];
    copyFileSync(
      join(home, '.local/lib/node_modules/dsa-slurm/templates/metrics/dsa-slurm-alerts.yml'),
      join(home, 'alerts.yml'),
    );
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: ['alerts.yml'],
        scrape_configs: [{ job_name: 'dsa-slurm', static_configs: targets }],
      }),
    );
    const address = `127.0.0.1:${prometheusPort}`;
    children.push(
      spawn(
        'prometheus',
        [
          `--config.file=${config}`,
          `--storage.tsdb.path=${join(home, 'prometheus')}`,
          `--web.listen-address=${address}`,
        ],
        { stdio: 'ignore' },
      ),
    );
    await areFinal([publish(0)]);
    const query = async (expression) => {
      const url = `http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`;
      const response = await fetch(url).catch(() => null);
      const value = (await response?.json())?.data?.result?.[0]?.value?.[1];
      return value === undefined ? 0 : Number(value);
    };
    for (const expression of [
      'sum(dsa_slurm_runs_finished_total{outcome="succeeded"})',
      'sum(dsa_slurm_commands_total)',
      'sum(dsa_slurm_girder_requests_total)',
      'sum(dsa_slurm_run_seconds_count)',
      'sum(dsa_slurm_journal_bytes)',
    ]) {
      await until(`${expression} is above 0`, async () => (await query(expression)) > 0, 60);
    }
  });

  await step('Migrate from a Python worker with tasks in flight, and back', async () => {
    await end(service);
    const python = join(home, 'python');
    writeFileSync(
      join(python, 'run.sh'),
      `#!/bin/bash\nexport GIRDER_WORKER_BROKER=${site.rabbitmq.url}\nexport TMP=${home}/shared/tmp\nexport LOGS=${home}/shared/logs\nexport SIF_IMAGE_PATH=${site.dir}/images\npython -m girder_worker -l info\n`,
    );
    const log = () => readIfThere(join(python, 'log')).split('\n');
    const count = (word) => log().filter((line) => line.startsWith(word)).length;
    await startPythonWorker(python);
    const held = Array.from({ length: 4 }, () => publishHold());
    await until('the Python worker runs two tasks', () => count('start') === 2, 60);

    const answers = ['--girder', site.girder.apiUrl, '--service', 'script', '--apptainer', site.apptainer];
    const from = ['from', python, ...answers, '--base', join(home, 'migrated')];
    succeeded(await migrated('migrate', ...from, '--dry-run'));
    succeeded(await migrated('migrate', ...from, '--yes'));
    const dirs = succeeded(await migrated('config', 'get', 'dirs.tmp')).trim();
    expect(dirs === `${home}/shared/tmp`, `dirs.tmp is ${dirs}`);
    for (const [key, value] of [
      ['slurm.partition', 'pathology'],
      ['slurm.mem', '100M'],
      ['slurm.time', '0:10:00'],
      ['slurm.environment', '["BENCH_MARKS"]'],
      ['slurm.pollSeconds', '1'],
    ]) {
      succeeded(await migrated('config', 'set', key, value));
    }

    const draining = migrated('migrate', 'drain', '--json');
    await until(
      'the Python worker takes no more tasks',
      async () => (await channel.checkQueue(queue)).consumerCount === 0,
      60,
    );
    const jobs = [publish(0), publish(0)];
    const worker = await startWorker('dsa-slurm', ['--profile', 'migrated', 'worker']);
    await areFinal(jobs);
    expect(
      jobs.every(({ status }) => status === 3),
      jobs.map(({ log: lines }) => lines.join('')).join('\n'),
    );
    expect(count('end') === 0, 'the Python worker has ended its tasks before it was asked to');
    writeFileSync(join(python, 'go'), '');
    const { lost, waited } = JSON.parse(succeeded(await draining));
    expect(lost.length === 0 && waited, `${lost.length} tasks were lost`);
    for (const id of held) {
      const lines = log().filter((line) => line.endsWith(` ${id}`));
      expect(lines.join() === `start ${id},end ${id}`, `the Python task ${id}: ${lines.join()}`);
    }

    await end(worker);
    succeeded(await migrated('migrate', 'undo', '--yes'));
    const again = publishHold();
    await until('the Python worker takes tasks again', () => log().includes(`end ${again}`), 60);
  });
} finally {
  for (const child of children.toReversed()) await end(child);
  await site.run('scancel', ['--quiet', '--me']);
  if (!process.argv.includes('--keep')) await site.close();
}
process.stdout.write(
  failures.length === 0
    ? `The whole walk went well. ${logFile}\n`
    : `${failures.length} steps failed: ${failures.join('; ')}. ${logFile}\n`,
);
process.exit(failures.length === 0 ? 0 : 1);
