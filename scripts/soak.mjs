// npm run soak -- --runs 20000: sends very many short runs through one worker and measures its memory. Uses a real
// RabbitMQ, a fake Girder over HTTP, and simulated jobs; with --jobs local they are processes of the executor "local"
// that exit at once. Fails if memory grows with the number of runs.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { createRunner } from '../build/base/command.js';
import { silentLog } from '../build/base/log.js';
import { connect } from '../build/celery/amqp/amqplib.js';
import { startFakeGirder } from '../build/sandbox/fake-girder/index.js';
import { installFakeApptainer, writeFakeImage } from '../build/sandbox/images.js';
import { analysisMessage } from '../build/sandbox/producer/message.js';
import { startRabbitmq } from '../build/sandbox/services/rabbitmq.js';
import { lateSaveCheckMs } from '../build/girder/jobs/job.js';
import { bytesAllowed, slopeOf, verdict } from './soak/slope.mjs';
import { wholeNumber } from './whole-number.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    window: { type: 'string', default: '100' },
    // the run store keeps 2,000 finished runs: until then it grows
    warm: { type: 'string', default: '2500' },
    samples: { type: 'string', default: '40' },
    // by how much memory may grow with each run
    bytes: { type: 'string', default: String(bytesAllowed) },
    jobs: { type: 'string', default: 'stub' },
  },
});
const runs = wholeNumber('--runs', values.runs, 1);
const window = wholeNumber('--window', values.window, 1);
const warm = wholeNumber('--warm', values.warm, 0);
const samples = wholeNumber('--samples', values.samples, 1);
const bytes = wholeNumber('--bytes', values.bytes, 0);
const every = Math.max(1, Math.floor(runs / samples));
const image = 'soak/image:v1';

const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-soak-'));
const rabbitmq = await startRabbitmq({ dir: join(dir, 'rabbitmq'), log: silentLog(), env: process.env });
let failed = true;
try {
  failed = !(await soak());
} finally {
  await rabbitmq.stop();
  await rm(dir, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

async function soak() {
  const girder = await startFakeGirder({ dir: join(dir, 'girder'), revoke: async () => {} });
  const run = createRunner({ env: process.env });
  const { command } = await installFakeApptainer({ dir, run, isRoot: process.getuid?.() === 0 });
  const [images, script] = [join(dir, 'images'), join(dir, 'script.sh')];
  await mkdir(images);
  await mkdir(join(dir, 'tmp'));
  await writeFakeImage(join(images, 'soak_image_v1.sif'), {
    labels: { entry_path: '/opt' },
    config: {},
    files: {},
  });
  // every seventh fails, so that messages are kept and forgotten too
  await writeFile(script, '#!/bin/bash\necho "a line of the log"\n[ $((SLURM_JOB_ID % 7)) -ne 0 ]\n');
  const flags = {
    'broker.url': rabbitmq.url,
    'broker.queues': ['soak'],
    'dirs.tmp': join(dir, 'tmp'),
    'dirs.logs': join(dir, 'logs'),
    'dirs.images': images,
    'dirs.state': join(dir, 'state'),
    'slurm.submitScript': script,
    'girder.reportSeconds': 0.1,
    'apptainer.command': command,
    'worker.executor': 'local',
    'worker.localJobs': 8,
    'worker.inFlight': window,
    'worker.name': 'soak@here',
  };
  const worker = fork(
    fileURLToPath(new URL('soak/worker.mjs', import.meta.url)),
    [JSON.stringify({ flags, logFile: join(dir, 'worker.log'), jobs: values.jobs })],
    { execArgv: ['--expose-gc'] },
  );
  const died = once(worker, 'exit').then(([code, signal]) => {
    throw new Error(`the worker has ended (${code ?? signal})`);
  });
  died.catch(() => {});
  await Promise.race([once(worker, 'message'), died]);

  const connection = await connect(rabbitmq.url);
  const channel = await connection.createConfirmChannel();
  const site = {
    apiUrl: girder.apiUrl,
    userId: girder.userId,
    userToken: () => girder.userToken,
    clientToken: girder.clientToken(),
  };
  const publish = (number) => {
    const taskId = `soak-${number}`;
    const job = girder.createJob({ title: `Soak ${number}`, type: 'soak', celeryTaskId: taskId });
    const request = { spelling: 'docker', image, title: job.title, taskId, args: ['Soak', String(number)] };
    const message = analysisMessage(request, site, { id: job.id, jobInfoSpec: girder.jobInfoSpec(job) });
    const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
    channel.sendToQueue('soak', Buffer.from(JSON.stringify([message.args, message.kwargs, embed])), {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      correlationId: taskId,
      headers: { lang: 'py', task: message.task, id: taskId, ...message.headers },
    });
  };
  const ask = async (question) => {
    worker.send(question);
    const [answer] = await Promise.race([once(worker, 'message'), died]);
    const { succeeded, failed: wrong, canceled } = answer.finished;
    return { ...answer, done: succeeded + wrong + canceled, wrong };
  };

  const table = [];
  const began = Date.now();
  console.log('   runs  failed  seconds    rss MB   heap MB  external MB  handles');
  const note = (now) => {
    const handles = Object.values(now.kinds).reduce((sum, count) => sum + count, 0);
    table.push({ runs: now.done, heap: now.heapUsed + now.external, handles });
    const cells = [
      [now.done, 7],
      [now.wrong, 7],
      [Math.round((Date.now() - began) / 1_000), 8],
      [(now.rss / 1e6).toFixed(1), 9],
      [(now.heapUsed / 1e6).toFixed(1), 9],
      [(now.external / 1e6).toFixed(1), 12],
      [handles, 8],
    ];
    console.log(cells.map(([cell, width]) => String(cell).padStart(width)).join(' '));
  };
  note(await ask('sample'));
  let published = 0;
  for (let done = 0, noted = 0; done < runs;) {
    while (published < Math.min(runs, done + 2 * window)) publish((published += 1));
    await channel.waitForConfirms();
    await delay(1_000);
    ({ done } = await ask('count'));
    if (done - noted >= every || done >= runs) {
      noted = done;
      note(await ask('sample'));
    }
  }
  // For some seconds after its acceptance Girder is asked again whether it still knows of a run: timers until then.
  await delay(Math.max(...lateSaveCheckMs) + 1_000);
  note(await ask('sample'));
  worker.send('stop');
  await died.catch(() => {});
  await connection.close();
  await girder.stop();

  const [idle, drained] = [table.at(0)?.handles ?? 0, table.at(-1)?.handles ?? 0];
  const steady = table.filter(({ runs: count }) => count >= Math.min(warm, runs / 2));
  const { isFlat, text } = verdict(
    slopeOf(steady.map(({ runs: count, heap }) => [count, heap])),
    drained - idle,
    bytes,
  );
  console.log(text);
  return isFlat;
}
