import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeFailure, type RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import { freePorts, isListening } from '../tcp-ports.js';
import { startChild, untilReady, type Child } from '../process.js';
import { buildMongo, girderRequirements, installPython, type GirderMajor } from './install.js';
import { createRest, login, type GirderRest } from './rest.js';

export interface RealGirderOptions {
  major: GirderMajor;
  dir: string;
  /** Where the virtual environment and the database's program are kept. */
  cache: string;
  brokerUrl: string;
  run: RunCommand;
  env: Readonly<Record<string, string | undefined>>;
  say: (line: string) => void;
  /** More packages from PyPI, as pip takes them: Girder's plugins. */
  plugins?: readonly string[];
  /** More plugins, installed without their dependencies. */
  pluginsAlone?: readonly string[];
}

/** A real Girder with its database, and two users. */
export interface RealGirder {
  major: GirderMajor;
  /** The current Girder process. */
  process(): Child;
  /** Of the web page, without a slash at the end. */
  url: string;
  apiUrl: string;
  mongoUrl: string;
  /** What Girder prints, its access log included. */
  logFile: string;
  /** Whether the wheels contain the web page. */
  hasPage: boolean;
  passwords: { admin: string; pathologist: string };
  /** As `admin`, who may do everything. */
  admin: GirderRest;
  /** As `pathologist`, an ordinary user. */
  pathologist: GirderRest;
  /** The pathologist's own private folder. */
  home: string;
  /** Sends SIGKILL to Girder's process, as if its machine had crashed. The database keeps running. */
  kill(): Promise<void>;
  /** Starts Girder again on the same port, and waits until it answers. @param over changes to its environment */
  start(over?: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Registers the CLIs of an image without running the image, then restarts Girder, which creates their routes on
   * Girder 3. Otherwise Docker would be needed.
   * @param clis their XML by name
   */
  register(image: string, folder: string, clis: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Starts a Python worker beside it and waits until it consumes the queue (default: `local`). Girder 5.0.21 checks for
   * such a worker before it uses `local`, and caches the result for an hour.
   */
  startLocalWorker(queue?: string): Promise<Child>;
  stop(): Promise<void>;
  killNow(): void;
}

/**
 * Installs what a real Girder needs, unless it is in the cache.
 * @throws DsaSlurmError `sandbox` with what is missing
 */
export async function installRealGirder(
  options: Pick<RealGirderOptions, 'major' | 'cache' | 'run' | 'say' | 'plugins' | 'pluginsAlone'>,
): Promise<{ python: string; mongoProgram: string }> {
  const { major, run, plugins = [], pluginsAlone = [] } = options;
  if (major === 5 && describeFailure(await run('redis-server', ['--version'])) !== '') {
    throw new DsaSlurmError('sandbox', 'redis-server is not installed; Girder 5 needs it.', {
      next: 'On Debian or Ubuntu type: sudo apt-get install redis-server',
    });
  }
  const requirements = [...girderRequirements[major], ...plugins];
  const python = await installPython(`girder-${major}`, requirements, options, pluginsAlone);
  return { python, mongoProgram: await buildMongo(options) };
}

/**
 * Installs (if needed) and starts a real Girder from PyPI on a MongoDB-protocol server, with an assetstore, an
 * administrator and a pathologist.
 * @throws DsaSlurmError `sandbox` with what is missing
 */
export async function startRealGirder(options: RealGirderOptions): Promise<RealGirder> {
  const { major, dir, run, env } = options;
  const { python, mongoProgram } = await installRealGirder(options);
  const [port = 0, mongoPort = 0, redisPort = 0] = await freePorts(3);
  const database = join(dir, 'mongo');
  await mkdir(database, { recursive: true, mode: 0o700 });
  const url = `http://127.0.0.1:${port}`;
  const apiUrl = `${url}/api/v1`;
  const mongoUrl = `mongodb://127.0.0.1:${mongoPort}/girder`;
  const page = await findPage(python, major);
  const girderEnv = {
    PATH: env['PATH'],
    HOME: dir,
    LC_ALL: 'C.UTF-8',
    PYTHONUNBUFFERED: '1',
    GIRDER_MONGO_URI: mongoUrl,
    GIRDER_WORKER_BROKER: options.brokerUrl,
    GIRDER_WORKER_BACKEND: 'rpc://',
    GIRDER_NOTIFICATION_REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    GIRDER_SETTING_WORKER_API_URL: apiUrl,
    ...(page === undefined ? {} : { GIRDER_STATIC_ROOT_DIR: page }),
    // Girder 3 has its broker in its settings, which can also be set in the environment.
    ...(major === 3
      ? { GIRDER_SETTING_WORKER_BROKER: options.brokerUrl, GIRDER_SETTING_WORKER_BACKEND: 'rpc://' }
      : {}),
    // The Python worker accepts pickle and refuses root for that reason.
    C_FORCE_ROOT: '1',
  };
  const children: Child[] = [];
  const child = async (name: string, file: string, args: string[], over: object = {}): Promise<Child> => {
    const output = join(dir, `${name}.log`);
    const started = await startChild({ name, file, args, env: { ...girderEnv, ...over }, cwd: dir, output });
    children.push(started);
    return started;
  };
  const script = packageFile('templates/sandbox/girder/serve.py');
  let girder: Child | undefined;
  const start = async (over: Readonly<Record<string, string>> = {}): Promise<void> => {
    girder = await child('girder', python, [script, 'serve', String(port)], over);
    await untilReady(`Girder ${major}`, () => answers(apiUrl), {
      children: [girder],
      timeoutMs: 180_000,
      stepMs: 100,
    });
  };
  const killNow = () => children.forEach((each) => each.killNow());
  const stop = async () => {
    for (const each of children.toReversed()) await each.stop();
  };
  try {
    if (major === 5) {
      // for notifications: without it Girder answers every job update with an error
      const args = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
      const redis = await child('redis-server', 'redis-server', args);
      await untilReady('redis', () => isListening(redisPort), { children: [redis] });
    }
    const mongo = await child('mongo', mongoProgram, [`127.0.0.1:${mongoPort}`, `file:${database}/`]);
    await untilReady('FerretDB', () => isListening(mongoPort), { children: [mongo] });
    await start();
    const users = await setUp(apiUrl, join(dir, 'assetstore'));
    return {
      major,
      url,
      apiUrl,
      mongoUrl,
      logFile: join(dir, 'girder.log'),
      hasPage: page !== undefined,
      process: () => girder ?? mongo,
      ...users,
      async kill() {
        girder?.killNow();
        await girder?.stop();
      },
      start,
      async register(image, folder, clis) {
        const answer = await run(python, [script, 'register'], {
          input: JSON.stringify({ image, folder, clis }),
          timeoutMs: 120_000,
          env: { ...girderEnv },
        });
        const error = describeFailure(answer);
        if (error !== '') throw new DsaSlurmError('sandbox', `The image was not registered: ${error}`);
        girder?.killNow();
        await girder?.stop();
        await start();
      },
      async startLocalWorker(queue = 'local') {
        const args = [script, 'worker', '-Q', queue, '-n', `${queue}@sandbox`, '-c', '1', '-l', 'INFO'];
        const output = join(dir, `celery-${queue}.log`);
        const before = existsSync(output) ? (await readFile(output, 'utf8')).length : 0;
        const worker = await child(`celery-${queue}`, python, [...args, '--without-heartbeat']);
        const isReady = async () => (await readFile(output, 'utf8')).slice(before).includes(' ready.');
        await untilReady('The Python worker', isReady, {
          children: [worker],
          timeoutMs: 60_000,
          stepMs: 200,
        });
        return worker;
      },
      stop,
      killNow,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first user of a new Girder is its administrator. */
async function setUp(apiUrl: string, assetstore: string) {
  const nobody = createRest(apiUrl);
  const passwords = { admin: randomBytes(9).toString('hex'), pathologist: randomBytes(9).toString('hex') };
  const people = { admin: 'Ada Admin', pathologist: 'Petra Pathologist' };
  for (const user of ['admin', 'pathologist'] as const) {
    const [firstName = '', lastName = ''] = people[user].split(' ');
    const params = { login: user, email: `${user}@example.com`, firstName, lastName };
    await nobody.call('POST', 'user', { params: { ...params, password: passwords[user] } });
  }
  const [admin, pathologist] = await Promise.all([
    login(apiUrl, 'admin', passwords.admin),
    login(apiUrl, 'pathologist', passwords.pathologist),
  ]);
  await mkdir(assetstore, { recursive: true, mode: 0o700 });
  await admin.call('POST', 'assetstore', { params: { name: 'sandbox', type: 0, root: assetstore } });
  const me = await pathologist.call('GET', 'user/me');
  const params = { parentType: 'user', parentId: me._id, name: 'Private' };
  const [home] = await pathologist.call<{ _id: string }[]>('GET', 'folder', { params });
  return { passwords, admin, pathologist, home: home?._id ?? '' };
}

/** Girder 5's wheel contains its web page; that of Girder 3 needs an npm build, which the sandbox skips. */
async function findPage(python: string, major: GirderMajor): Promise<string | undefined> {
  if (major === 3) return undefined;
  const lib = join(dirname(python), '..', 'lib');
  const [version] = (await readdir(lib)).filter((name) => name.startsWith('python'));
  const page = join(lib, version ?? '', 'site-packages', 'girder', 'web', 'dist');
  return existsSync(join(page, 'index.html')) ? page : undefined;
}

async function answers(apiUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${apiUrl}/system/version`, { signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}

/** Cache directory for installed programs. */
export function testCache(env: Readonly<Record<string, string | undefined>>, tmpdir: string): string {
  return env['DSA_SLURM_TEST_CACHE'] ?? join(tmpdir, 'dsa-slurm-test-cache');
}

/** @throws DsaSlurmError `sandbox` if `text` is not a supported major version */
export function parseMajor(text: string): GirderMajor {
  if (text === '3' || text === '5') return text === '3' ? 3 : 5;
  throw new DsaSlurmError('sandbox', `Girder ${text} is not supported. Use 3 or 5.`);
}
