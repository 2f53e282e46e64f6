import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createRunner } from '../../src/base/command.js';
import { silentLog } from '../../src/base/log.js';
import { installMissing } from '../../src/sandbox/services/packages.js';
import { startRabbitmq, type RabbitmqService } from '../../src/sandbox/services/rabbitmq.js';
import type { AccountingOptions } from '../../src/sandbox/services/accounting.js';
import { startSlurm, type SlurmService } from '../../src/sandbox/services/slurm.js';
import { installTestPackages } from './test-packages.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** One for each test process that runs beside others. */
    sites: TestSite[];
  }
}

/** The site that a test uses. */
export interface TestSite {
  /** URL of the private RabbitMQ, with its password. */
  amqpUrl: string;
  /** Environment of `rabbitmqctl`, and where it is. */
  rabbitmqEnv: Record<string, string>;
  rabbitmqctl: string;
  /** Path of the private Slurm's configuration: `SLURM_CONF` for every command and worker. */
  slurmConf: string;
  /** Default first. */
  slurmPartitions: string[];
  /** A directory that is removed with the site; create your own inside with mkdtemp. */
  sandboxDir: string;
}

interface Site {
  dir: string;
  rabbitmq: RabbitmqService;
  slurm: SlurmService;
  stop(): Promise<void>;
}

interface Shared {
  users: number;
  sites: Promise<Site>[];
}

/**
 * Vitest loads this file once per project, always in its main process: what projects share is stored on that process.
 */
const shared = globalThis as { [key: symbol]: Shared | undefined };
const slot = Symbol.for('dsa-slurm.sandbox-site');

/**
 * Real RabbitMQs and real four-node Slurms, one of each for every test file that runs at a time: a run of one file starts one
 * of each. All projects of the same vitest process use the same ones.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const entry = (shared[slot] ??= { users: 0, sites: [] });
  entry.users += 1;
  const { config, vitest } = project;
  const missing = Math.min(config.maxWorkers, vitest.state.getPaths().length) - entry.sites.length;
  if (missing > 0) {
    const installed = installPackages();
    for (let n = 0; n < missing; n += 1) entry.sites.push(installed.then(startSite));
  }
  const started = await Promise.allSettled(entry.sites);
  const sites = started.flatMap((site) => (site.status === 'fulfilled' ? [site.value] : []));
  const release = async () => {
    entry.users -= 1;
    if (entry.users > 0) return;
    delete shared[slot];
    await Promise.allSettled(sites.map(async (site) => site.stop()));
  };
  const failed = started.find((site) => site.status === 'rejected');
  if (failed !== undefined) {
    await release();
    throw failed.reason;
  }
  project.provide('sites', sites.map(contextOf));
  return release;
}

function contextOf({ dir, rabbitmq, slurm }: Site): TestSite {
  return {
    amqpUrl: rabbitmq.url,
    rabbitmqEnv: { ...rabbitmq.env },
    rabbitmqctl: rabbitmq.ctl,
    slurmConf: slurm.conf,
    slurmPartitions: [...slurm.partitions],
    sandboxDir: dir,
  };
}

async function installPackages(): Promise<void> {
  const env = process.env;
  const run = createRunner({ env });
  await installMissing({
    run,
    path: env['PATH'] ?? '',
    may: true,
    isRoot: process.getuid?.() === 0,
    onLine: (line) => console.log(line),
  });
  await installTestPackages(run);
}

async function startSite(): Promise<Site> {
  const env = process.env;
  const log = silentLog();
  const dir = await mkdtemp(join(tmpdir(), 'dsa-test-'));
  const [rabbitmq, slurm] = await Promise.allSettled([
    startRabbitmq({ dir: join(dir, 'rabbitmq'), log, env }),
    startSlurm({ dir: join(dir, 'slurm'), nodes: 4, log, env, ...accountingOf(env) }),
  ]);
  const started = [rabbitmq, slurm].flatMap((result) =>
    result.status === 'fulfilled' ? [result.value] : [],
  );
  // The services are stopped however this process exits.
  const atExit = () => {
    started.forEach((service) => service.killNow());
    rmSync(dir, { recursive: true, force: true });
  };
  process.once('exit', atExit);
  const stop = async () => {
    await Promise.allSettled(started.map((service) => service.stop()));
    process.off('exit', atExit);
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  if (rabbitmq.status === 'rejected' || slurm.status === 'rejected') {
    await stop();
    throw rabbitmq.status === 'rejected' ? rabbitmq.reason : (slurm as PromiseRejectedResult).reason;
  }
  return { dir, rabbitmq: rabbitmq.value, slurm: slurm.value, stop };
}

/** Accounting, if `npm run test:sites` asks for it: one account for the user of this process. */
function accountingOf(env: NodeJS.ProcessEnv): { accounting?: AccountingOptions } {
  if (env['DSA_SLURM_TEST_ACCOUNTING'] === undefined) return {};
  const here = 'cluster=sandbox';
  return {
    accounting: {
      sacctmgr: [
        ['add', 'account', 'path', here],
        ['add', 'user', userInfo().username, 'account=path', here],
      ],
    },
  };
}
