import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { connect } from '../../celery/amqp/amqplib.js';
import { DsaSlurmError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { freePorts, isListening } from '../tcp-ports.js';
import { retryWhenChildEnds, startChild, untilReady, type Child, type ChildOptions } from '../process.js';

export interface RabbitmqService {
  /** With a password that only this service knows: never log it. */
  url: string;
  port: number;
  /** Environment under which {@link RabbitmqService.ctl} talks to this node and to no other. */
  env: Readonly<Record<string, string>>;
  /** Path of `rabbitmqctl`. */
  ctl: string;
  stop(): Promise<void>;
  killNow(): void;
}

/** Debian's wrapper in /usr/sbin changes the user and the directory; these are the programs behind it. */
const programDirectories = ['/usr/lib/rabbitmq/bin', '/opt/rabbitmq/sbin'];

/** Where RabbitMQ's own `rabbitmq-server` is, or undefined. */
export function findRabbitmq(
  path: string,
  exists: (file: string) => boolean = existsSync,
): string | undefined {
  const candidates = [
    ...programDirectories,
    ...path.split(delimiter).filter((part) => part !== '/usr/sbin' && part !== '/sbin'),
  ];
  return candidates.find((directory) => exists(join(directory, 'rabbitmq-server')));
}

export interface RabbitmqOptions {
  dir: string;
  log: Log;
  /** The operator's environment; only `PATH` is taken from it. */
  env: Readonly<Record<string, string | undefined>>;
  /** Further lines of rabbitmq.conf. */
  settings?: readonly string[];
  /** Aborts the start and stops what is running by then. */
  signal?: AbortSignal;
}

/**
 * Starts a private RabbitMQ node: own name, ports, database, cookie and port mapper, everything on the loopback
 * interface and inside `dir`. Ready means that the AMQP handshake works.
 * @throws DsaSlurmError `sandbox`
 */
export function startRabbitmq(options: RabbitmqOptions): Promise<RabbitmqService> {
  return retryWhenChildEnds('RabbitMQ', options.log, () => startNode(options));
}

async function startNode({
  dir,
  log,
  env,
  settings = [],
  signal,
}: RabbitmqOptions): Promise<RabbitmqService> {
  const path = env['PATH'] ?? '/usr/bin:/bin';
  const programs = findRabbitmq(path);
  if (programs === undefined) {
    throw new DsaSlurmError('sandbox', 'rabbitmq-server is not installed.');
  }
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const [port = 0, distPort = 0, epmdPort = 0] = await freePorts(3);
  const password = randomBytes(16).toString('hex');
  const nodeName = `sandbox-${port}@localhost`;
  const configFile = join(dir, 'rabbitmq.conf');
  const pluginsFile = join(dir, 'enabled_plugins');
  const envFile = join(dir, 'rabbitmq-env.conf');
  await Promise.all([
    writeFile(configFile, configuration(port, password, settings), { mode: 0o600 }),
    writeFile(pluginsFile, '[].\n'),
    // An empty file prevents /etc/rabbitmq/rabbitmq-env.conf from being read.
    writeFile(envFile, ''),
  ]);
  const nodeEnv: Record<string, string> = {
    PATH: path,
    LC_ALL: 'C.UTF-8',
    HOME: dir, // the Erlang cookie
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_CONF_ENV_FILE: envFile,
  };
  const serverEnv: Record<string, string> = {
    ...nodeEnv,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_CONFIG_FILE: configFile,
    RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: pluginsFile,
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_PID_FILE: join(dir, 'rabbitmq.pid'),
    // The crash dump would go to the working directory; two schedulers are plenty and start sooner.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} -env ERL_CRASH_DUMP_BYTES 0 +S 2:2',
  };
  const children: Child[] = [];
  const start = async (child: ChildOptions) => {
    const started = await startChild(child);
    children.push(started);
    return started;
  };
  const stop = async () => {
    for (const child of children.toReversed()) await child.stop(5_000);
  };
  const killNow = () => children.forEach((child) => child.killNow());
  try {
    // Otherwise the node would start a port mapper that outlives it.
    const epmd = await start({
      name: 'epmd',
      file: 'epmd',
      args: ['-port', String(epmdPort), '-address', '127.0.0.1'],
      env: nodeEnv,
      cwd: dir,
      output: join(dir, 'epmd.log'),
    });
    // A node without a port mapper exits at once.
    await untilReady('epmd', () => isListening(epmdPort), {
      children: [epmd],
      ...(signal === undefined ? {} : { signal }),
    });
    const server = await start({
      name: 'rabbitmq-server',
      file: join(programs, 'rabbitmq-server'),
      args: [],
      env: serverEnv,
      cwd: dir,
      output: join(dir, 'startup.log'),
      ownLog: join(dir, 'log', `${nodeName}.log`),
    });
    const url = `amqp://guest:${password}@127.0.0.1:${port}/`;
    await untilReady('RabbitMQ', () => handshakeWorks(url), {
      children: [epmd, server],
      timeoutMs: 60_000,
      ...(signal === undefined ? {} : { signal }),
    });
    log.info({ port }, 'RabbitMQ is up');
    return { url, port, env: nodeEnv, ctl: join(programs, 'rabbitmqctl'), stop, killNow };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The random password matters: anyone who can publish to the queue decides what the worker runs. */
function configuration(port: number, password: string, settings: readonly string[]): string {
  return [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    'default_user = guest',
    `default_pass = ${password}`,
    'disk_free_limit.absolute = 50MB',
    'log.file.level = warning',
    'log.console = false',
    ...settings,
    '',
  ].join('\n');
}

async function handshakeWorks(url: string): Promise<boolean> {
  try {
    const connection = await connect(url, { timeout: 2_000 });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}
