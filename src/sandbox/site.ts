import { mkdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { createRunner, type RunCommand } from '../base/command.js';
import { createLog } from '../base/log.js';
import { loadSettings, type Settings } from '../config/index.js';
import { createWorker, type Worker } from '../worker/worker.js';
import { startFakeGirder, type FakeGirder } from './fake-girder/index.js';
import { createProducer, type Producer } from './producer/index.js';
import { startBoth, type Releaser } from './releasers.js';
import { prepareRuntime, type Runtime } from './runtime.js';
import { hostAddress } from './services/host-address.js';
import { installMissing } from './services/packages.js';
import { startRabbitmq } from './services/rabbitmq.js';
import { startSlurm, userName } from './services/slurm.js';

/** A running sandbox. */
export interface Sandbox {
  girder: FakeGirder;
  producer: Producer;
  worker: Worker;
  /** What the worker runs with. */
  settings: Settings;
  env: Readonly<Record<string, string | undefined>>;
  /** Containers see their inputs at container paths only. */
  hidesHostPaths: boolean;
  /** Notices for the screen about everything that is faked. */
  notices: string[];
  /** The same in a few words, for the first line of the console. */
  title: string;
}

export interface StartOptions {
  dir: string;
  env: Readonly<Record<string, string | undefined>>;
  say: (line: string) => void;
  /** Called for each service once it runs, so that it is stopped even if the next one fails. */
  onStarted: (releaser: Releaser) => void;
  signal: AbortSignal;
}

/** The part of a sandbox that does not depend on Girder. */
export interface SandboxCluster {
  run: RunCommand;
  brokerUrl: string;
  runtime: Runtime;
  /** Starts the worker. @param flags further settings, by key */
  startWorker(
    flags?: Readonly<Record<string, unknown>>,
  ): Promise<Pick<Sandbox, 'worker' | 'settings' | 'env'>>;
}

/**
 * Starts a sandbox with the fake Girder inside `dir`, including the worker, which then waits for tasks.
 * @throws DsaSlurmError `sandbox`
 */
export async function startSandbox(options: StartOptions): Promise<Sandbox> {
  const { dir, say, onStarted } = options;
  const { brokerUrl, run, runtime, startWorker } = await startCluster(options);
  const producer = await createProducer({ brokerUrl, run });
  const girder = await startFakeGirder({
    dir,
    revoke: (taskId) => producer.revoke([taskId]),
  });
  onStarted(girder);
  const notices = [
    `Girder is a fake inside this process, at ${girder.apiUrl}: REST endpoints over data in memory.`,
    ...(producer.kind === 'own' ? [producer.description] : []),
    ...runtime.notices,
  ];
  if (producer.kind === 'celery') say(producer.description);
  notices.forEach((sentence) => say(sentence));
  const started = await startWorker();
  const title = runtime.notices.length === 0 ? 'sandbox: fake Girder' : 'sandbox: fake Girder and Apptainer';
  const { hidesHostPaths } = runtime;
  return { girder, producer, ...started, notices, hidesHostPaths, title };
}

/**
 * Installs and starts Slurm and RabbitMQ inside `dir`, and prepares Apptainer or its fake.
 * @throws DsaSlurmError `sandbox`
 */
export async function startCluster(options: StartOptions): Promise<SandboxCluster> {
  const { dir, say, onStarted, signal } = options;
  // Fail at once on what would fail later.
  userName();
  await hostAddress();
  const isRoot = process.getuid?.() === 0;
  const path = options.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const unstoppable = createRunner({ env: options.env, ownSession: true });
  await installMissing({ run: unstoppable, path, may: true, isRoot, onLine: say, signal });
  signal.throwIfAborted();
  const runner = createRunner({ env: options.env });
  const run: RunCommand = (file, args, more) => runner(file, args, { signal, ...more });

  await mkdir(join(dir, 'log'), { recursive: true, mode: 0o700 });
  const log = createLog({ level: 'info', destination: join(dir, 'log', 'site.log') });
  say('Starting RabbitMQ, and Slurm with 4 nodes: about 15 s …');
  const isUp = async <Service>(starting: Promise<Service>, words: (service: Service) => string) => {
    const service = await starting;
    say(words(service));
    return service;
  };
  const [rabbitmq, slurm] = await startBoth(
    isUp(
      startRabbitmq({ dir: join(dir, 'rabbitmq'), log, env: options.env, signal }),
      ({ port }) => `RabbitMQ listens on 127.0.0.1:${port}.`,
    ),
    isUp(
      startSlurm({ dir: join(dir, 'slurm'), nodes: 4, log, env: options.env, signal }),
      ({ nodes, conf }) => `Slurm has ${nodes.length} idle nodes: SLURM_CONF=${conf}`,
    ),
    onStarted,
  );
  signal.throwIfAborted();
  say('Preparing Girder, Celery and the demo image …');

  const runtime = await prepareRuntime({ dir, run, path, isRoot });
  const env = {
    PATH: [dirname(runtime.command), path, '/usr/sbin'].join(delimiter),
    HOME: options.env['HOME'],
    LANG: options.env['LANG'],
    ...slurm.env,
  };
  return {
    run,
    brokerUrl: rabbitmq.url,
    runtime,
    async startWorker(flags = {}) {
      const settings = await siteSettings(dir, rabbitmq.url, runtime, flags);
      const workerLog = createLog({ level: 'debug', destination: join(dir, 'log', 'worker.log') });
      const worker = await createWorker({ profile: 'sandbox', settings, env, log: workerLog });
      onStarted(worker);
      await worker.start();
      return { worker, settings, env };
    },
  };
}

/** Settings for the sandbox; the operator's own profiles and environment are ignored. */
async function siteSettings(
  dir: string,
  brokerUrl: string,
  runtime: Runtime,
  more: Readonly<Record<string, unknown>>,
): Promise<Settings> {
  const places = { tmp: 'tmp', logs: 'logs', images: 'images', state: 'state' };
  const dirs = Object.entries(places).map(([key, name]) => [`dirs.${key}`, join(dir, name)] as const);
  for (const [, directory] of dirs) await mkdir(directory, { recursive: true, mode: 0o700 });
  const flags = {
    ...Object.fromEntries(dirs),
    'broker.url': brokerUrl,
    'slurm.partition': 'pathology',
    'slurm.time': '00:20:00',
    'slurm.mem': '500M',
    'slurm.cpus': 1,
    'slurm.pollSeconds': 1,
    'apptainer.command': runtime.command,
    ...runtime.settings,
    'girder.directPaths': true,
    'girder.reportSeconds': 0.5,
    'worker.name': 'celery@sandbox',
    ...more,
  };
  return loadSettings({ profile: 'default', flags, env: {}, configDir: join(dir, 'config') }).settings;
}
