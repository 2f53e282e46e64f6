import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createRunner, type RunCommand } from '../../src/base/command.js';
import { createLog } from '../../src/base/log.js';
import { startFakeGirder, type FakeGirder } from '../../src/sandbox/fake-girder/index.js';
import { installFakeApptainer, writeFakeImage } from '../../src/sandbox/images.js';
import { sifFileName } from '../../src/apptainer/image-name.js';
import { createProducer, type Producer } from '../../src/sandbox/producer/index.js';
import { startBoth, type Releaser } from '../../src/sandbox/releasers.js';
import { installMissing } from '../../src/sandbox/services/packages.js';
import { startRabbitmq, type RabbitmqService } from '../../src/sandbox/services/rabbitmq.js';
import { startSlurm, userName, type SlurmService } from '../../src/sandbox/services/slurm.js';
import { chaosImage, chaosImageName } from './image.js';
import { wrapSlurmCommands, type SlurmCommands } from './slurm-commands.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

/** A sandbox without a worker, with handles to inject faults into every component. */
export interface ChaosSite {
  dir: string;
  rabbitmq: RabbitmqService;
  /** Between the worker and RabbitMQ. */
  proxy: TcpProxy;
  slurm: SlurmService;
  /** Between the worker and Slurm. */
  commands: SlurmCommands;
  girder: FakeGirder;
  producer: Producer;
  /** Runs a command without injected faults. */
  run: RunCommand;
  /** Environment of the workers. */
  workerEnv: Readonly<Record<string, string | undefined>>;
  workerFlags: readonly string[];
  places: { tmp: string; logs: string; state: string };
}

export interface ChaosSiteOptions {
  dir: string;
  env: Readonly<Record<string, string | undefined>>;
  say: (line: string) => void;
  /** Called for each service once it runs. */
  onStarted: (releaser: Releaser) => void;
  signal: AbortSignal;
}

/** Seconds; so short that some ended jobs are only in accounting when a worker asks. */
const minJobAge = 10;

/** @throws DsaSlurmError `sandbox` */
export async function startChaosSite(options: ChaosSiteOptions): Promise<ChaosSite> {
  const { dir, env, say, onStarted, signal } = options;
  const isRoot = process.getuid?.() === 0;
  const path = env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  await installMissing({ run: createRunner({ env }), path, may: true, isRoot, onLine: say });
  signal.throwIfAborted();
  const places = {
    tmp: join(dir, 'tmp'),
    logs: join(dir, 'logs'),
    state: join(dir, 'xdg-state', 'dsa-slurm', 'default'),
  };
  const images = join(dir, 'images');
  for (const place of [join(dir, 'log'), places.tmp, places.logs, images]) {
    await mkdir(place, { recursive: true, mode: 0o700 });
  }
  const log = createLog({ level: 'info', destination: join(dir, 'log', 'site.log') });
  // jobs are charged to an account of the one user that there is
  const sacctmgr = [
    ['add', 'account', 'chaos'],
    ['add', 'user', userName(), 'account=chaos'],
  ];
  const [rabbitmq, slurm] = await startBoth(
    startRabbitmq({ dir: join(dir, 'rabbitmq'), log, env }),
    startSlurm({ dir: join(dir, 'slurm'), nodes: 4, log, env, minJobAge, accounting: { sacctmgr } }),
    onStarted,
  );
  signal.throwIfAborted();
  const programs = [path, '/usr/sbin'].join(delimiter);
  const run = createRunner({ env: { PATH: programs, HOME: dir, ...slurm.env } });
  const producer = await createProducer({ brokerUrl: rabbitmq.url, run });
  const girder = await startFakeGirder({ dir, revoke: (taskId) => producer.revoke([taskId]) });
  onStarted(girder);
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: rabbitmq.port });
  onStarted(proxy);
  const apptainer = await installFakeApptainer({ dir: join(dir, 'apptainer'), run, isRoot });
  await writeFakeImage(join(images, sifFileName(chaosImageName)), chaosImage);
  const commands = await wrapSlurmCommands(join(dir, 'between'), programs);

  const broker = new URL(rabbitmq.url);
  broker.port = String(proxy.port);
  return {
    dir,
    rabbitmq,
    proxy,
    slurm,
    commands,
    girder,
    producer,
    run,
    places,
    workerEnv: {
      PATH: [commands.dir, programs].join(delimiter),
      HOME: dir,
      ...slurm.env,
      XDG_CONFIG_HOME: join(dir, 'xdg-config'),
      XDG_STATE_HOME: join(dir, 'xdg-state'),
      XDG_CACHE_HOME: join(dir, 'xdg-cache'),
      TMP: places.tmp,
      LOGS: places.logs,
      SIF_IMAGE_PATH: images,
      // contains the password, so it is not passed as a flag
      GIRDER_WORKER_BROKER: broker.href,
    },
    workerFlags: [
      `apptainer.command=${apptainer.command}`,
      'slurm.partition=pathology',
      'slurm.mem=200M',
      'slurm.time=00:10:00',
      'slurm.pollSeconds=1',
      'slurm.commandTimeoutSeconds=15',
      'girder.reportSeconds=0.2',
      'worker.name=celery@chaos',
      'worker.leaseSeconds=5',
    ].flatMap((pair) => ['--set', pair]),
  };
}
