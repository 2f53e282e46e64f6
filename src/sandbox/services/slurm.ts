import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeFailure, createRunner, type RunCommand } from '../../base/command.js';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { makeSandboxDirectory } from '../directory.js';
import { freePorts, isListening } from '../tcp-ports.js';
import { hostAddress } from './host-address.js';
import { retryWhenChildEnds, startChild, untilReady, type Child } from '../process.js';
import { accountingConf, fillAccounting, prepareAccounting, type AccountingOptions } from './accounting.js';
import { slurmConf } from './slurm-conf.js';
import { killLeftovers, killOnce } from './slurm-leftovers.js';

export interface SlurmService {
  /** Path of slurm.conf. */
  conf: string;
  /** What a Slurm command needs to reach this cluster and no other. */
  env: Readonly<Record<string, string>>;
  /** `n1` … */
  nodes: readonly string[];
  /** The first is the default. */
  partitions: readonly string[];
  /**
   * `slurmctld`, `slurmd-n1` … of the nodes, and with accounting `slurmdbd` and `mariadb`; for tests that
   * stop one of them.
   */
  daemon(name: string): SlurmDaemon;
  /** Cancels every job, stops every daemon by its process id and leaves nothing behind. */
  stop(): Promise<void>;
  killNow(): void;
}

/** One daemon of a sandbox Slurm. */
export interface SlurmDaemon {
  signal(signal: NodeJS.Signals): void;
  /** Sends SIGKILL and waits until it is gone. Its jobs keep running, as when a daemon crashes. */
  kill(): Promise<void>;
  /** Starts it again once it was killed. @param more arguments, such as `-c` */
  start(more?: readonly string[]): Promise<void>;
}

export interface SandboxSlurmOptions {
  dir: string;
  /** Number of nodes, each of which claims 8 CPUs. */
  nodes: number;
  log: Log;
  /** The operator's environment; only `PATH` is taken from it. */
  env: Readonly<Record<string, string | undefined>>;
  /** Seconds after which slurmctld forgets an ended job. Default 300, as Slurm's own. */
  minJobAge?: number;
  /** Further lines of slurm.conf. */
  conf?: readonly string[];
  /** Aborts the start and stops what is running by then. */
  signal?: AbortSignal;
  /** Runs slurmdbd on a private MariaDB. Default: no accounting. */
  accounting?: AccountingOptions;
}

/** A Unix socket's path may have 107 bytes; slurmstepd's ends in `/n1/n1_4294967295.4294967294`. */
const isShort = (path: string): boolean => Buffer.byteLength(path) <= 60;

/**
 * Starts a private Slurm on this machine: munged with its own key and socket, slurmctld, and one slurmd a node. The
 * daemons and all jobs run as the calling user, root or not. Ready means that every node is idle.
 * @throws DsaSlurmError `sandbox`
 */
export function startSlurm(options: SandboxSlurmOptions): Promise<SlurmService> {
  return retryWhenChildEnds('Slurm', options.log, () => startDaemons(options));
}

async function startDaemons(options: SandboxSlurmOptions): Promise<SlurmService> {
  const { dir, log, minJobAge = 300, accounting } = options;
  const path = withSystemDirectories(options.env['PATH']);
  const socketDir = isShort(dir) ? dir : await makeSandboxDirectory('dsa-', isShort);
  const host = await hostAddress();
  const untilAborted = options.signal === undefined ? {} : { signal: options.signal };
  const names = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`);
  const [controllerPort = 0, databasePort = 0, accountingPort = 0, ...nodePorts] = await freePorts(
    names.length + 3,
  );
  const conf = join(dir, 'slurm.conf');
  const env = { PATH: path, LC_ALL: 'C.UTF-8', SLURM_CONF: conf };
  const run = createRunner({ env });
  const munge = mungeFiles(dir, socketDir);

  for (const sub of ['state', 'log']) await mkdir(join(dir, sub), { recursive: true, mode: 0o700 });
  for (const name of names) {
    await mkdir(join(socketDir, 'spool', name), { recursive: true, mode: 0o755 });
  }
  const partitions = ['pathology', 'long'];
  await Promise.all([
    withoutCgroups(dir, run),
    writeFile(munge.key, randomBytes(128), { mode: 0o600 }),
    writeFile(join(dir, 'gres.conf'), `NodeName=${names.at(-1)} Name=gpu File=/dev/null,/dev/zero\n`),
    writeFile(
      conf,
      slurmConf({
        dir,
        spoolDir: join(socketDir, 'spool'),
        mungeSocket: munge.socket,
        user: userName(),
        host,
        controllerPort,
        nodes: names.map((name, index) => ({ name, port: nodePorts[index] ?? 0 })),
        partitions,
        minJobAge,
        more: [
          ...(accounting === undefined
            ? []
            : accountingConf({ port: accountingPort, mungeSocket: munge.socket, host }, accounting)),
          ...(options.conf ?? []),
        ],
      }),
    ),
  ]);

  const scheduler: Record<string, { file: string; args: string[] }> = {
    slurmctld: { file: 'slurmctld', args: ['-D', '-f', conf] },
    ...Object.fromEntries(
      names.map((name) => [`slurmd-${name}`, { file: 'slurmd', args: ['-D', '-N', name, '-f', conf] }]),
    ),
  };
  const children: Child[] = [];
  const killNow = () => {
    children.forEach((child) => child.killNow());
    killOnce(conf);
  };
  const stop = async () => {
    // munged last: the others authenticate through it while they stop.
    const [munged, ...daemons] = children;
    if (daemons.length > 0) {
      await cancelAllJobs(run);
      await killLeftovers(conf); // a slurmd waits for its steps
      // each daemon writes to the next one until it has stopped
      await stopAll(daemons.filter(({ name }) => name in scheduler));
      await stopAll(daemons.filter(({ name }) => name === 'slurmdbd'));
      await stopAll(daemons.filter(({ name }) => name === 'mariadb'));
      await killLeftovers(conf);
    }
    await munged?.stop();
    if (socketDir !== dir) await rm(socketDir, { recursive: true, force: true });
  };
  const start = async (name: string, file: string, args: readonly string[]) => {
    const [output, ownLog] = [join(dir, 'log', `${name}.out`), join(dir, 'log', `${name}.log`)];
    const child = await startChild({ name, file, args, env, cwd: dir, output, ownLog });
    const before = children.findIndex((one) => one.name === name);
    if (before === -1) children.push(child);
    else children[before] = child;
    return child;
  };
  const programs: Record<string, { file: string; args: string[] }> = { ...scheduler };
  const daemon = (name: string): SlurmDaemon => {
    const program = programs[name];
    const child = () => {
      const found = children.find((one) => one.name === name);
      if (found === undefined) throw new Error(`${name} was not started`);
      return found;
    };
    return {
      signal: (signal) => void process.kill(child().pid, signal),
      async kill() {
        child().killNow();
        await child().stop();
      },
      async start(more = []) {
        if (program === undefined) throw new Error(`there is no ${name} here`);
        await start(name, program.file, [...program.args, ...more]);
      },
    };
  };
  try {
    const munged = await start('munged', 'munged', munge.args);
    await untilReady('munge', async () => answers(await run('munge', munge.probe)), {
      children: [munged],
      ...untilAborted,
    });
    if (accounting !== undefined) {
      Object.assign(
        programs,
        await prepareAccounting(
          {
            dir,
            socketDir,
            mungeSocket: munge.socket,
            enableIpv6: host.enableIpv6,
            user: userName(),
            databasePort,
            port: accountingPort,
          },
          run,
        ),
      );
      await daemon('mariadb').start();
      await untilReady('the accounting database', async () => isListening(databasePort), {
        children: [munged, ...children],
        ...untilAborted,
      });
      await daemon('slurmdbd').start();
      await untilReady(
        'slurmdbd',
        async () => answers(await run('sacctmgr', ['--noheader', 'show', 'cluster'], { timeoutMs: 5_000 })),
        { children: [munged, ...children], timeoutMs: 60_000, ...untilAborted },
      );
      await fillAccounting(run, 'sandbox', accounting);
    }
    await Promise.all(Object.keys(scheduler).map(async (name) => daemon(name).start()));
    let idle: ReadonlySet<string> | undefined;
    const allIdle = async () => {
      idle = await idleNodes(run);
      return idle !== undefined && names.every((name) => idle?.has(name));
    };
    await untilReady('Slurm', allIdle, {
      children: [munged, ...children],
      suspect: async () => {
        const name = names.find((node) => idle?.has(node) !== true);
        const culprit = idle === undefined ? 'slurmctld' : `slurmd-${name}`;
        return children.find((child) => child.name === culprit);
      },
      timeoutMs: 60_000,
      ...untilAborted,
    });
    log.info({ conf, nodes: names.length }, 'Slurm is up');
    return { conf, env: { SLURM_CONF: conf }, nodes: names, partitions, daemon, stop, killNow };
  } catch (error) {
    await stop();
    throw error;
  }
}

function mungeFiles(dir: string, socketDir: string) {
  const socket = join(socketDir, 'munge.socket');
  const key = join(dir, 'munge.key');
  const args = ['--foreground', '--force', '--num-threads=2', `--socket=${socket}`];
  args.push(`--key-file=${key}`, `--log-file=${join(dir, 'log', 'munged.log')}`);
  args.push(`--pid-file=${join(dir, 'munged.pid')}`, `--seed-file=${join(dir, 'munged.seed')}`);
  return { socket, key, args, probe: ['--no-input', `--socket=${socket}`] };
}

async function stopAll(children: readonly Child[]): Promise<void> {
  await Promise.all(children.map((child) => child.stop()));
}

/** @returns undefined if slurmctld does not answer */
async function idleNodes(run: RunCommand): Promise<ReadonlySet<string> | undefined> {
  const question = ['--noheader', '--Node', '--partition=pathology', '-o', '%N %t'];
  const result = await run('sinfo', question, { timeoutMs: 5_000 });
  if (!answers(result) || result.kind !== 'exited') return undefined;
  const rows = result.stdout.split('\n').map((line) => line.split(' '));
  return new Set(rows.flatMap(([name = '', state]) => (state === 'idle' ? [name] : [])));
}

/**
 * Slurm 24.11 and newer load a control group plugin whatever tracks the processes, and do not start where the kernel's
 * control groups are not mounted or mixed. A sandbox needs none; 23.02 is the first release that can do without.
 */
async function withoutCgroups(dir: string, run: RunCommand): Promise<void> {
  const answer = await run('slurmd', ['-V']);
  const [, major, minor] = /(\d+)\.(\d+)/.exec(answer.kind === 'exited' ? answer.stdout : '') ?? [];
  if (Number(major) * 100 + Number(minor) < 23_02) return;
  try {
    await writeFile(join(dir, 'cgroup.conf'), 'CgroupPlugin=disabled\n', { flag: 'wx' });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error; // the caller has written one
  }
}

async function cancelAllJobs(run: RunCommand): Promise<void> {
  const question = ['--noheader', '--all', '-o', '%A'];
  const deadline = performance.now() + 1_000;
  while (performance.now() < deadline) {
    const answer = await run('squeue', question, { timeoutMs: 2_000 });
    if (!answers(answer) || answer.kind !== 'exited') return;
    const ids = new Set(answer.stdout.split('\n').filter((line) => line.trim() !== ''));
    if (ids.size === 0) return;
    await run('scancel', ['--signal=KILL', '--full', ...ids], { timeoutMs: 2_000 });
    await run('scancel', [...ids], { timeoutMs: 2_000 });
    await delay(100);
  }
}

function answers(result: Awaited<ReturnType<RunCommand>>): boolean {
  return describeFailure(result) === '';
}

/** Slurm starts jobs only of users whom the system's user database knows; a container may run as any number. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch (cause) {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    throw new DsaSlurmError(
      'sandbox',
      `The user with the id ${uid} has no name, and Slurm runs no jobs without.`,
      {
        next: `Add this line to /etc/passwd, as root: sandbox:x:${uid}:${gid}::/tmp:/bin/sh`,
        cause,
      },
    );
  }
}

/** An ordinary user's PATH often lacks the directories where Slurm's daemons live. */
function withSystemDirectories(path: string | undefined): string {
  return [path ?? '/usr/bin:/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(':');
}
