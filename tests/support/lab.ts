import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { createRunner, type RunCommand } from '../../src/base/command.js';
import { createLog } from '../../src/base/log.js';
import { loadSettings } from '../../src/config/load.js';
import type { Settings } from '../../src/config/schema.js';
import { startFakeGirder, type GirderJob, type FakeGirder } from '../../src/sandbox/fake-girder/index.js';
import { installFakeApptainer, writeFakeImage } from '../../src/sandbox/images.js';
import { createProducer, type Producer } from '../../src/sandbox/producer/index.js';
import { analysisMessage, type AnalysisRequest } from '../../src/sandbox/producer/message.js';
import { createWorker, type Worker } from '../../src/worker/worker.js';
import { withForkedPython } from './python-forks.js';
import { testImage } from './test-image.js';
import { testSite } from './test-site.js';

export const image = 'test/image:v1';

/** Final statuses of a Girder job. */
export const status = { running: 2, success: 3, error: 4, canceled: 5, canceling: 824 } as const;

/** A worker on the test site, a fake Girder, and a real Celery producer; each lab has its own queue. */
export interface Lab {
  dir: string;
  /** Images that `apptainer pull` finds. */
  registry: string;
  settings: Settings;
  girder: FakeGirder;
  producer: Producer;
  command: RunCommand;
  worker: Worker;
  /** The first directory in the worker's PATH. */
  bin: string;
  /** Publishes an analysis as Girder would, after creating its Girder job. `celery`: more options of `send_task`. */
  publish(
    request: Partial<AnalysisRequest> & Pick<AnalysisRequest, 'args'>,
    celery?: Record<string, unknown>,
  ): Promise<GirderJob>;
  /** Publishes any task, after creating a Girder job; `task` gets Girder's headers from it. */
  publishTask(task: { name: string; kwargs: Record<string, unknown>; title: string }): Promise<GirderJob>;
  /** Waits until the Girder job is final. */
  ended(job: GirderJob, timeoutMs?: number): Promise<GirderJob>;
  /** Waits until a condition holds. */
  until<T>(look: () => T | Promise<T>, timeoutMs?: number): Promise<NonNullable<T>>;
  /** The only file of that name in a folder, as text. */
  text(folderId: string, name: string): Promise<string>;
  startWorker(): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param flags settings by key, or a function of the lab's Girder
 * @param options.publishedApiUrl what messages say instead of Girder's real API URL, wherever they mention it
 * @param options.slurmConf path of another slurm.conf than the test site's; `brokerUrl`: another RabbitMQ
 * @param options.ownProducer publishes without Celery, which is faster for many tasks
 * @param options.startsWorker false: the worker is created only
 */
export async function openLab(
  flags: Record<string, unknown> | ((girder: FakeGirder) => Record<string, unknown>) = {},
  {
    publishedApiUrl,
    slurmConf = testSite().slurmConf,
    brokerUrl = testSite().amqpUrl,
    ownProducer = false,
    startsWorker = true,
  }: {
    publishedApiUrl?: string;
    slurmConf?: string;
    brokerUrl?: string;
    ownProducer?: boolean;
    startsWorker?: boolean;
  } = {},
): Promise<Lab> {
  const dir = await mkdtemp(join(testSite().sandboxDir, 'lab-'));
  const queue = `lab-${randomUUID()}`;
  const bin = join(dir, 'bin');
  const programs = process.env['PATH'];
  const command = createRunner({ env: { PATH: programs, HOME: dir, SLURM_CONF: slurmConf } });
  const env = { PATH: `${bin}:${programs}`, HOME: dir, SLURM_CONF: slurmConf };
  const producer = await createProducer({ brokerUrl, run: withForkedPython(command), own: ownProducer });
  const girder = await startFakeGirder({
    dir: join(dir, 'girder'),
    revoke: async (id) => producer.revoke([id]),
  });
  const isRoot = process.getuid?.() === 0;
  const { command: apptainer, registry } = await installFakeApptainer({ dir, run: command, isRoot });
  const images = join(dir, 'images');
  await mkdir(images);
  await writeFakeImage(join(images, 'test_image_v1.sif'), testImage);
  const { settings } = loadSettings({
    profile: 'default',
    configDir: join(dir, 'config'),
    env: {},
    flags: {
      'broker.url': brokerUrl,
      'broker.queues': [queue],
      'dirs.tmp': join(dir, 'tmp'),
      'dirs.logs': join(dir, 'logs'),
      'dirs.images': images,
      'dirs.state': join(dir, 'state'),
      'slurm.pollSeconds': 1,
      'slurm.lateFilesSeconds': 2,
      'girder.reportSeconds': 0.2,
      'apptainer.command': apptainer,
      'worker.name': `${queue}@lab`,
      ...(typeof flags === 'function' ? flags(girder) : flags),
    },
  });
  await mkdir(settings.dirs.tmp, { recursive: true });
  const log = createLog({ level: 'debug', destination: join(dir, 'worker.log') });
  let worker = await createWorker({ profile: 'lab', settings, env, log });
  if (startsWorker) await worker.start();

  const lab: Lab = {
    dir,
    bin,
    registry,
    settings,
    girder,
    producer,
    command,
    get worker() {
      return worker;
    },
    async publish(request, celery = {}) {
      const whole = { spelling: 'docker' as const, image, title: 'A test', taskId: randomUUID(), ...request };
      const girderJob = girder.createJob({
        title: whole.title,
        type: `${whole.image}#Test`,
        celeryTaskId: whole.taskId,
      });
      const message = analysisMessage(
        whole,
        {
          apiUrl: girder.apiUrl,
          userId: girder.userId,
          userToken: () => girder.userToken,
          clientToken: girder.clientToken(),
        },
        { id: girderJob.id, jobInfoSpec: girder.jobInfoSpec(girderJob) },
      );
      const text = JSON.stringify(message);
      const sent = publishedApiUrl === undefined ? text : text.replaceAll(girder.apiUrl, publishedApiUrl);
      await producer.publish([{ ...(JSON.parse(sent) as typeof message), options: celery }], { queue });
      return girderJob;
    },
    async publishTask({ name, kwargs, title }) {
      const id = randomUUID();
      const girderJob = girder.createJob({ title, type: name, celeryTaskId: id });
      const headers = {
        jobInfoSpec: girder.jobInfoSpec(girderJob),
        girder_api_url: girder.apiUrl,
        apiUrl: girder.apiUrl,
        girder_client_token: girder.clientToken(),
      };
      const message = { id, task: name, args: [], kwargs, kwargsrepr: '{...}', headers };
      await producer.publish([message], { queue });
      return girderJob;
    },
    async ended(job, timeoutMs = 90_000) {
      const final: number[] = [status.success, status.error, status.canceled];
      return lab.until(() => {
        const now = girder.job(job.id);
        return now !== undefined && final.includes(now.status) ? now : null;
      }, timeoutMs);
    },
    async until(look, timeoutMs = 90_000) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const found = await look();
        if (found !== null && found !== undefined && found !== false) return found;
        if (Date.now() > deadline) {
          const tail = (await readFile(join(dir, 'worker.log'), 'utf8')).slice(-4_000);
          throw new Error(
            `Not so within ${timeoutMs} ms: ${String(look)}\nThe worker's log ends with:\n${tail}`,
          );
        }
        await delay(50);
      }
    },
    async text(folderId, name) {
      const found = girder.items(folderId).filter((item) => item.name === name);
      const [item] = found;
      if (item === undefined || found.length !== 1) throw new Error(`${found.length} items named ${name}`);
      const [file] = girder.files(item.id);
      if (file === undefined) throw new Error(`item ${name} has no file`);
      return readFile(file.path, 'utf8');
    },
    async startWorker() {
      worker = await createWorker({ profile: 'lab', settings, env, log });
      await worker.start();
    },
    async close() {
      await worker.stop();
      await girder.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return lab;
}

/** Fails, with the log of the Girder job, unless it has this status. */
export function expectStatus(job: GirderJob, wanted: number): void {
  if (job.status !== wanted)
    throw new Error(`status ${job.status} instead of ${wanted}:\n${job.log.join('')}`);
}

/** Statuses that a Girder job went through, in order. */
export function statuses(job: GirderJob): number[] {
  return job.timestamps.map((change) => change.status);
}
