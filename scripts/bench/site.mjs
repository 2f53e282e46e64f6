// The site of npm run bench: a real RabbitMQ, a real Slurm of four nodes with 8 CPUs each, and the built program as its
// worker. Girder is the fake one, in this process. Containers are a shell script that reads no image, because the time of
// a container would hide that of the worker.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { createRunner, describeFailure } from '../../build/base/command.js';
import { silentLog } from '../../build/base/log.js';
import { connect } from '../../build/celery/amqp/amqplib.js';
import { startFakeGirder } from '../../build/sandbox/fake-girder/index.js';
import { installFakeApptainer, writeFakeImage } from '../../build/sandbox/images.js';
import { analysisMessage } from '../../build/sandbox/producer/message.js';
import { startRabbitmq } from '../../build/sandbox/services/rabbitmq.js';
import { startSlurm } from '../../build/sandbox/services/slurm.js';

export const program = fileURLToPath(new URL('../../bin/dsa-slurm', import.meta.url));
const template = fileURLToPath(new URL('../../templates/singularity.slurm', import.meta.url));
const image = 'bench/image:v1';
/** Final statuses of a Girder job: SUCCESS, ERROR, CANCELED. */
const finalStatuses = new Set([3, 4, 5]);

/** Starts the services once for all scenarios. */
export async function openSite() {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-bench-'));
  const log = silentLog();
  const releasers = [() => rm(dir, { recursive: true, force: true, maxRetries: 3 })];
  const close = async () => {
    for (const release of releasers.toReversed()) await release();
  };
  try {
    const rabbitmq = await startRabbitmq({ dir: join(dir, 'rabbitmq'), log, env: process.env });
    releasers.push(() => rabbitmq.stop());
    await mkdir(join(dir, 'slurm'));
    const nodes = 'Nodes=n1,n2,n3,n4';
    const conf = [
      `PartitionName=closed ${nodes} State=DOWN`,
      // more jobs than CPUs run at a time, because they only wait
      `PartitionName=shared ${nodes} OverSubscribe=FORCE:8 State=UP`,
    ];
    const slurm = await startSlurm({
      dir: join(dir, 'slurm'),
      nodes: 4,
      log,
      env: process.env,
      minJobAge: 5,
      conf,
    });
    releasers.push(() => slurm.stop());
    const girder = await startFakeGirder({ dir: join(dir, 'girder') });
    releasers.push(() => girder.stop());
    const connection = await connect(rabbitmq.url);
    releasers.push(() => connection.close());
    const run = createRunner({ env: { PATH: process.env.PATH, ...slurm.env } });
    const apptainer = await installContainers(dir, run);
    return { dir, rabbitmq, slurm, girder, connection, run, apptainer, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Containers that sleep, print one line and write one output. Each adds the moments of its beginning and its end to a
 * file: Slurm knows them in whole seconds only.
 */
async function installContainers(dir, run) {
  const fake = await installFakeApptainer({ dir, run, isRoot: process.getuid?.() === 0 });
  const command = join(dir, 'apptainer');
  const script = `#!/bin/bash
case " $* " in *" Bench "*) ;; *) exec '${fake.command}' "$@" ;; esac
began=$EPOCHREALTIME
echo 'the first line of the analysis'
case \${@: -2:1} in
  0) ;;
  log:*)
    line='a line of an ordinary log, about eighty characters long, without any tag in it'
    work=\${@: -2:1}
    yes "$line" | head -c "$((\${work#log:} * 1048576))"
    ;;
  *) sleep "\${@: -2:1}" ;;
esac
output=\${@: -1}
for bind; do
  case $bind in --bind=*) bind=\${bind#--bind=} ;; esac
  IFS=: read -r from to _ <<<"$bind"
  case $output in "$to"/*) [ ! -d "$from" ] || echo result >"$from/\${output##*/}" ;; esac
done
echo "$SLURM_JOB_NAME $began $EPOCHREALTIME" >>"$BENCH_MARKS"
`;
  await writeFile(command, script);
  await chmod(command, 0o755);
  await mkdir(join(dir, 'images'));
  await writeFakeImage(join(dir, 'images', 'bench_image_v1.sif'), {
    labels: { entry_path: '/opt' },
    config: { WorkingDir: '/opt', Entrypoint: ['/bin/sh'] },
    files: {},
  });
  return command;
}

/** One scenario's own directories, queue and worker on the site. */
export async function openTrial(site, { settings = {}, path = '' } = {}) {
  const dir = await mkdtemp(join(site.dir, 'trial-'));
  const queue = `bench-${dir.slice(-6)}`;
  const marks = join(dir, 'marks');
  await writeFile(marks, '');
  const script = join(dir, 'singularity.slurm');
  await copyFile(template, script);
  for (const name of ['tmp', 'logs']) await mkdir(join(dir, name), { mode: 0o700 });
  const channel = await site.connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  const folder = site.girder.addFolder(site.girder.rootFolderId, queue);
  const input = await site.girder.addFile(folder.id, 'input.txt', Buffer.from('a small input\n'));
  const env = {
    PATH: `${path === '' ? '' : `${path}:`}${process.env.PATH}`,
    HOME: dir,
    XDG_CONFIG_HOME: join(dir, 'config'),
    XDG_STATE_HOME: join(dir, 'state'),
    XDG_CACHE_HOME: join(dir, 'cache'),
    BENCH_MARKS: marks,
    DSA_SLURM_BROKER_URL: site.rabbitmq.url,
    ...site.slurm.env,
  };
  const flags = Object.entries({
    'broker.queues': JSON.stringify([queue]),
    'dirs.tmp': join(dir, 'tmp'),
    'dirs.logs': join(dir, 'logs'),
    'dirs.images': join(site.dir, 'images'),
    'dirs.state': join(dir, 'state'),
    'apptainer.command': site.apptainer,
    'slurm.submitScript': script,
    'slurm.mem': '100M',
    'slurm.time': '00:20:00',
    'slurm.environment': JSON.stringify(['BENCH_MARKS']),
    'worker.name': `${queue}@here`,
    ...settings,
  }).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  let worker = null;
  let published = 0;

  const trial = {
    dir,
    env,
    queue,
    channel,
    script,
    flags,
    stateDirectory: join(dir, 'state'),
    folderId: folder.id,
    /**
     * Publishes a task as Girder does: its analysis takes `work` seconds, or with `log:N` writes N MB of log.
     * @returns its Girder job, with the moment of publishing
     */
    publish({ work = 1, file = input, headers = {} } = {}) {
      published += 1;
      const taskId = `${queue}-${published}`;
      const title = `Bench ${published}`;
      const { girder } = site;
      const job = girder.createJob({ title, type: `${image}#Bench`, celeryTaskId: taskId });
      const args = [
        'Bench',
        { file: file.id, name: file.name },
        String(work),
        { output: 'result.txt', toFolder: folder.id },
      ];
      const { userId, apiUrl } = girder;
      const message = analysisMessage(
        { spelling: 'docker', image, title, taskId, args },
        { apiUrl, userId, userToken: () => girder.userToken, clientToken: girder.clientToken() },
        { id: job.id, jobInfoSpec: girder.jobInfoSpec(job) },
      );
      const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
      const body = Buffer.from(JSON.stringify([message.args, message.kwargs, embed]));
      channel.sendToQueue(queue, body, {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        correlationId: taskId,
        persistent: true,
        headers: { lang: 'py', task: message.task, id: taskId, ...message.headers, ...headers },
      });
      return { taskId, job, at: Date.now() };
    },
    /** Starts the built program; resolves when it consumes. */
    async start() {
      const output = [];
      const began = performance.now();
      const child = spawn(program, ['worker', ...flags], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          output.push(text);
          if (output.length > 200) output.shift();
        });
      }
      const exited = once(child, 'exit');
      worker = { child, exited, output };
      await until('the worker consumes', async () => {
        if (child.exitCode !== null) throw new Error(`the worker has ended:\n${output.join('')}`);
        return (await channel.checkQueue(queue)).consumerCount > 0;
      });
      return performance.now() - began;
    },
    async stop() {
      if (worker === null) return;
      worker.child.kill('SIGTERM');
      await worker.exited;
      worker = null;
    },
    pid: () => worker.child.pid,
    /** Resets the peak of memory. */
    forgetPeak: async () => writeFile(`/proc/${worker.child.pid}/clear_refs`, '5'),
    output: () => worker?.output.join('') ?? '',
    /** Beginning and end of each container, by the name of its Slurm job, in milliseconds. */
    async marks() {
      const lines = (await readFile(marks, 'utf8')).split('\n').filter((line) => line !== '');
      return new Map(
        lines.map((line) => {
          const [name, began, ended] = line.split(' ');
          return [name, { began: Number(began) * 1_000, ended: Number(ended) * 1_000 }];
        }),
      );
    },
    /** Waits until all these Girder jobs are final. @throws if one did not succeed */
    async finished(tasks, seconds = 300) {
      await until('all runs have ended', () => tasks.every(({ job }) => isFinal(job)), seconds);
      const wrong = tasks.filter(({ job }) => job.status !== 3);
      if (wrong.length > 0) {
        const log = wrong[0].job.log.join('');
        throw new Error(
          `${wrong.length} of ${tasks.length} runs did not succeed; the first one says:\n${log}`,
        );
      }
    },
    async close() {
      await trial.stop();
      await channel.deleteQueue(queue).catch(() => {});
      await channel.close();
      await site.run('scancel', ['--quiet', '--me']);
      await until('Slurm has no jobs', async () => (await squeueCount(site, 'all')) === 0);
    },
  };
  return trial;
}

export const isFinal = ({ status }) => finalStatuses.has(status);

/** When a Girder job got its last status, in milliseconds. */
export const finalAt = (job) => Date.parse(job.timestamps.at(-1).time);

/** The number of jobs that wait or run. */
export async function squeueCount(site, states = 'PENDING,RUNNING') {
  const filter = states === 'all' ? [] : [`--states=${states}`];
  const result = await site.run('squeue', ['--noheader', '--format=%i', ...filter]);
  if (result.kind !== 'exited' || result.exitCode !== 0) throw new Error(describeFailure(result));
  return result.stdout.split('\n').filter((line) => line !== '').length;
}

/** Polls until `look` returns true. */
export async function until(what, look, seconds = 120, everyMs = 20) {
  const deadline = performance.now() + seconds * 1_000;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await delay(everyMs);
  }
}

/** Counts of the questions that slurmctld was asked so far, by message type. */
export async function questions(site) {
  const result = await site.run('sdiag', []);
  if (result.kind !== 'exited' || result.exitCode !== 0) throw new Error(describeFailure(result));
  const part = result.stdout.split('by message type')[1]?.split('by user')[0] ?? '';
  const counts = {};
  for (const [, name, count] of part.matchAll(/^\s*(REQUEST_\w*INFO\w*)\s.*?count:(\d+)/gm)) {
    // sdiag's own
    if (name !== 'REQUEST_STATS_INFO') counts[name] = Number(count);
  }
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Memory of a process in MB and its CPU seconds so far, without its children. */
export async function usage(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1_024;
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1).split(' ');
  const [user, system, childUser, childSystem] = fields.slice(11, 15).map((ticks) => Number(ticks) / 100);
  return { rss: field('VmRSS'), peak: field('VmHWM'), cpu: user + system, children: childUser + childSystem };
}

/** Share of one core that a process uses while nothing happens, in percent. */
export async function cpuShare(pid, seconds) {
  const before = await usage(pid);
  await delay(seconds * 1_000);
  const after = await usage(pid);
  return ((after.cpu - before.cpu + after.children - before.children) / seconds) * 100;
}

export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
