import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRunner, type RunCommand } from '../../../src/base/command.js';
import { installFakeApptainer, writeFakeImage } from '../../../src/sandbox/images.js';
import { createRest, type GirderDocument, type GirderRest } from '../../../src/sandbox/real-girder/rest.js';
import { sifFileName } from '../../../src/apptainer/image-name.js';
import { jobName } from '../../../src/slurm/job-identity.js';
import { runProgram, startProgram, type Environment, type Program } from '../../support/program.js';
import { analyses, type RigImage } from './image.js';
import { testSite } from '../../support/test-site.js';
import { testGirder } from './test-girder.js';

export const status = {
  inactive: 0,
  queued: 1,
  running: 2,
  success: 3,
  error: 4,
  canceled: 5,
  canceling: 824,
} as const;

const finalStatuses: readonly number[] = [status.success, status.error, status.canceled];

/** A job as Girder answers it. */
export interface Job extends GirderDocument {
  title: string;
  status: number;
  log?: string[];
  progress: { current: number; total: number; message: string } | null;
  timestamps?: { status: number }[];
  celeryTaskId?: string;
}

/** A worker process between a real Girder and a real Slurm. */
export interface Rig {
  dir: string;
  env: Environment;
  command: RunCommand;
  /** The administrator of Girder. */
  admin: GirderRest;
  /** The user who starts analyses. */
  user: GirderRest;
  /** Images that `apptainer pull` finds. */
  registry: string;
  images: string;
  worker(): Program;
  /** Everything that the worker has logged. */
  workerLog(): Promise<string>;
  startWorker(more?: readonly string[]): Promise<void>;
  stopWorker(signal?: NodeJS.Signals): Promise<void>;
  /** `dsa-slurm <args>` with the worker's own profile. */
  program(...args: string[]): ReturnType<typeof runProgram>;
  /** A new folder in the pathologist's own one. */
  folder(name: string): Promise<string>;
  /** A file in a new folder. */
  slide(content: string, name?: string): Promise<{ _id: string; itemId: string }>;
  /** Starts an analysis as Girder's web page does. */
  run(cli: string, params: Readonly<Record<string, string | number | boolean>>): Promise<Job>;
  /** `Copy` of a new slide into a new folder. */
  copy(content: string, name?: string): Promise<{ job: Job; folder: string }>;
  /** `Wait` with a gate of its own. */
  wait(options?: { lines?: number }): Promise<{ job: Job; folder: string; open: () => Promise<void> }>;
  job(job: { _id: string }): Promise<Job>;
  ended(job: { _id: string }, timeoutMs?: number): Promise<Job>;
  until<T>(look: () => T | Promise<T>, timeoutMs?: number): Promise<NonNullable<T>>;
  /** Contents of the files in a folder, by item name; fails if an item is there twice. */
  files(folder: string): Promise<Record<string, string>>;
  slurmJobs(job: Job): Promise<{ id: string; state: string }[]>;
  girder(act: 'kill' | 'start' | 'register' | 'local', body?: string): Promise<void>;
  partition(state: 'UP' | 'DOWN'): Promise<void>;
  close(): Promise<void>;
}

export const logOf = (job: Job): string => (job.log ?? []).join('');

export const statusesOf = (job: Job): number[] => (job.timestamps ?? []).map((entry) => entry.status);

export interface RigOptions {
  image?: RigImage;
  /** Directories that containers see at the same path, read-only. */
  binds?: readonly string[];
}

/** Opens a rig with a running worker, and makes sure that Girder knows the image. */
export async function openRig({ image = analyses, binds = [] }: RigOptions = {}): Promise<Rig> {
  const { apiUrl, tokens, home, control, major } = testGirder();
  const dir = await mkdtemp(join(testSite().sandboxDir, 'rig-'));
  const programs = process.env['PATH'];
  const command = createRunner({ env: { PATH: programs, HOME: dir, SLURM_CONF: testSite().slurmConf } });
  const isRoot = process.getuid?.() === 0;
  const { command: apptainer, registry } = await installFakeApptainer({ dir, run: command, isRoot });
  const [images, gates] = [join(dir, 'images'), join(dir, 'gates')];
  for (const each of [images, gates, join(dir, 'tmp'), join(dir, 'logs')]) await mkdir(each);
  const [admin, user] = [createRest(apiUrl, tokens.admin), createRest(apiUrl, tokens.pathologist)];
  const log = join(dir, 'worker.log');
  await writeFile(log, '');
  const env: Environment = {
    PATH: `${dirname(apptainer)}:${programs}`,
    HOME: dir,
    SLURM_CONF: testSite().slurmConf,
    XDG_CONFIG_HOME: join(dir, 'config'),
    XDG_STATE_HOME: join(dir, 'state'),
    XDG_CACHE_HOME: join(dir, 'cache'),
    DSA_SLURM_BROKER_URL: testSite().amqpUrl,
    DSA_SLURM_TMP: join(dir, 'tmp'),
    DSA_SLURM_LOGS: join(dir, 'logs'),
    DSA_SLURM_IMAGES: images,
    DSA_SLURM_GIRDER_REPORT_SECONDS: '0.2',
    DSA_SLURM_POLL_SECONDS: '1',
    DSA_SLURM_LATE_FILES_SECONDS: '2',
    DSA_SLURM_APPTAINER_OPTIONS: JSON.stringify([
      `--bind=${gates}`,
      ...binds.map((path) => `--bind=${path}:${path}:ro`),
    ]),
  };
  const started: Program[] = [];
  const clis = new Map<string, string>();
  let count = 0;

  const rig: Rig = {
    dir,
    env,
    command,
    admin,
    user,
    registry,
    images,
    worker: () => started.at(-1) ?? fail('no worker'),
    workerLog: () => readFile(log, 'utf8'),
    async startWorker(more = []) {
      const worker = startProgram(['worker', ...more], { env, copyTo: log });
      started.push(worker);
      await rig.until(() => worker.stderr().includes('consuming'), 60_000);
    },
    async stopWorker(signal = 'SIGTERM') {
      rig.worker().signal(signal);
      await rig.worker().ended;
    },
    program: (...args) => runProgram(args, env),
    async folder(name) {
      count += 1;
      const params = { parentType: 'folder', parentId: home, name: `${name} ${process.pid}.${count}` };
      return (await user.call('POST', 'folder', { params }))._id;
    },
    async slide(content, name = 'slide.tiff') {
      return user.upload(await rig.folder('slides'), name, content);
    },
    async run(cli, params) {
      const id = clis.get(cli) ?? fail(`no CLI ${cli}`);
      return user.call<Job>('POST', `slicer_cli_web/cli/${id}/run`, { params });
    },
    async copy(content, name) {
      const [{ _id: input }, folder] = await Promise.all([rig.slide(content, name), rig.folder('results')]);
      return { job: await rig.run('Copy', { input, output: 'copy.txt', output_folder: folder }), folder };
    },
    async wait({ lines = 0 } = {}) {
      const [{ _id: input }, folder] = await Promise.all([rig.slide('wait'), rig.folder('results')]);
      const gate = join(gates, `gate-${folder}`);
      const params = { input, output: 'waited.txt', output_folder: folder, gate, lines };
      return { job: await rig.run('Wait', params), folder, open: () => writeFile(gate, '') };
    },
    job: ({ _id }) => admin.call<Job>('GET', `job/${_id}`),
    async ended(job, timeoutMs = 90_000) {
      return rig.until(async () => {
        const now = await rig.job(job);
        return finalStatuses.includes(now.status) ? now : null;
      }, timeoutMs);
    },
    async until(look, timeoutMs = 60_000) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const found = await look();
        if (found !== null && found !== undefined && found !== false) return found;
        if (performance.now() > deadline) {
          const tail = (await readFile(log, 'utf8')).slice(-4_000);
          throw new Error(
            `Not so within ${timeoutMs} ms: ${String(look)}\nThe worker's log ends with:\n${tail}`,
          );
        }
        await delay(200);
      }
    },
    async files(folder) {
      const result: Record<string, string> = {};
      const items = await user.call<GirderDocument[]>('GET', 'item', {
        params: { folderId: folder, limit: 0 },
      });
      for (const item of items) {
        const files = await user.call<GirderDocument[]>('GET', `item/${item._id}/files`);
        for (const file of files) {
          if (file.name in result) throw new Error(`${file.name} is there twice`);
          result[file.name] = (await user.download(file._id)).toString();
        }
      }
      return result;
    },
    async slurmJobs({ celeryTaskId = '' }) {
      const args = ['--noheader', '--states=all', `--name=${jobName(celeryTaskId)}`, '--format=%i %T'];
      const answer = await command('squeue', args);
      if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
      const lines = answer.stdout.split('\n').filter((line) => line.trim() !== '');
      return lines.map((line) => {
        const [id = '', state = ''] = line.trim().split(' ');
        return { id, state };
      });
    },
    async girder(act, body = '') {
      const answer = await fetch(`${control}/${act}`, { method: 'POST', body });
      if (!answer.ok) throw new Error(await answer.text());
    },
    async partition(state) {
      const [name = ''] = testSite().slurmPartitions;
      const answer = await command('scontrol', ['update', `PartitionName=${name}`, `State=${state}`]);
      if (answer.kind !== 'exited' || answer.exitCode !== 0) throw new Error(JSON.stringify(answer));
    },
    async close() {
      for (const program of started) program.signal('SIGTERM');
      const hard = setTimeout(() => started.forEach((program) => program.signal('SIGKILL')), 15_000);
      await Promise.all(started.map(({ ended }) => ended));
      clearTimeout(hard);
      await rm(dir, { recursive: true, force: true });
    },
  };

  await writeFakeImage(join(registry, sifFileName(image.name)), await image.content());
  await rig.startWorker();
  await registerImage(rig, image, major);
  for (const { _id, name } of await user.call<GirderDocument[]>('GET', 'slicer_cli_web/cli'))
    clis.set(name, _id);
  return rig;
}

/** Girder 5 hands it to the worker; Girder 3 would ask Docker, so there the CLIs are registered one by one. */
async function registerImage(rig: Rig, image: RigImage, major: 3 | 5): Promise<void> {
  const { admin } = rig;
  const known = await rig.user.call<Record<string, unknown>>('GET', 'slicer_cli_web/docker_image');
  const isKnown = Object.keys(known).length > 0;
  if (major === 3 || isKnown)
    await writeFakeImage(join(rig.images, sifFileName(image.name)), await image.content());
  if (isKnown) return;
  const folder = await taskFolder(admin);
  if (major === 5) {
    const params = { name: JSON.stringify([image.name]), folder };
    const job = await admin.call<Job>('PUT', 'slicer_cli_web/docker_image', { params });
    const ended = await rig.ended(job);
    if (ended.status !== status.success) throw new Error(`The image was not registered:\n${logOf(ended)}`);
    return;
  }
  const clis = await image.specifications?.(rig.command);
  await rig.girder('register', JSON.stringify({ image: image.name, folder, clis }));
}

/** A public folder for CLIs. */
async function taskFolder(admin: GirderRest): Promise<string> {
  const collections = await admin.call<GirderDocument[]>('GET', 'collection');
  const collection: GirderDocument =
    collections.find(({ name }) => name === 'Tasks') ??
    (await admin.call('POST', 'collection', { params: { name: 'Tasks', public: true } }));
  const params = {
    parentType: 'collection',
    parentId: collection._id,
    name: 'Slicer CLI',
    reuseExisting: true,
  };
  return (await admin.call('POST', 'folder', { params: { ...params, public: true } }))._id;
}

function fail(message: string): never {
  throw new Error(message);
}
