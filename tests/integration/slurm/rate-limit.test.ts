import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { silentLog } from '../../../src/base/log.js';
import { installFakeApptainer } from '../../../src/sandbox/images.js';
import { startSlurm, type SlurmService } from '../../../src/sandbox/services/slurm.js';
import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';
import { dsaSlurm } from '../../support/program.js';
import { testSite } from '../../support/test-site.js';

const run = promisify(execFile);

/** The limit exempts root and SlurmUser, so what it limits must be another user: `nobody`. */
const nobody = 65_534;
const asNobody = ['--reuid', `${nobody}`, '--regid', `${nobody}`, '--clear-groups', '--'];
const limit = { burst: 12, perSecond: 2 };

const { stdout: version } = await execa('slurmctld', ['-V']);
const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(version) ?? [];
/** Slurm 23.02 was the first release with `rl_enable`. */
const limitsRate = Number(major) * 100 + Number(minor) >= 23_02 && process.getuid?.() === 0;

describe.runIf(limitsRate)('a controller that limits the rate of requests', () => {
  let dir: string;
  let slurm: SlurmService;
  let lab: Lab;
  let env: Record<string, string>;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dsa-rl-'));
    // nobody passes through to slurm.conf, munge's socket and the directories of the lab
    await chmod(dir, 0o755);
    await chmod(testSite().sandboxDir, 0o755);
    const parameters = `rl_enable,rl_bucket_size=${limit.burst},rl_refill_rate=${limit.perSecond}`;
    slurm = await startSlurm({
      dir,
      nodes: 2,
      log: silentLog(),
      env: process.env,
      conf: [`SlurmctldParameters=${parameters}`],
    });
    lab = await openLab({}, { slurmConf: slurm.conf });
    await lab.worker.stop();
    await rm(lab.settings.dirs.state, { recursive: true, force: true });
    // root's one makes mounts that nobody may not make
    const own = join(lab.dir, 'own');
    const { command } = await installFakeApptainer({
      dir: own,
      run: async (file, args) => lab.command('setpriv', [...asNobody, file, ...args]),
      isRoot: false,
    });
    await run('chown', ['-R', `${nobody}:${nobody}`, lab.dir]);
    const { broker, dirs } = lab.settings;
    env = {
      PATH: process.env['PATH'] ?? '',
      HOME: lab.dir,
      SLURM_CONF: slurm.conf,
      XDG_STATE_HOME: join(lab.dir, 'xdg-state'),
      XDG_CONFIG_HOME: join(lab.dir, 'xdg-config'),
      XDG_CACHE_HOME: join(lab.dir, 'xdg-cache'),
      TMP: dirs.tmp,
      LOGS: dirs.logs ?? '',
      SIF_IMAGE_PATH: dirs.images ?? '',
      GIRDER_WORKER_BROKER: broker.url,
      DSA_SLURM_BROKER_QUEUES: broker.queues.join(','),
      DSA_SLURM_APPTAINER_COMMAND: command,
      DSA_SLURM_POLL_SECONDS: '1',
      DSA_SLURM_LATE_FILES_SECONDS: '2',
      DSA_SLURM_GIRDER_REPORT_SECONDS: '0.2',
    };
  }, 120_000);

  afterAll(async () => {
    await lab.close();
    await slurm.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const program = (...args: string[]) =>
    execa('setpriv', [...asNobody, dsaSlurm, ...args], { env, extendEnv: false, reject: false });

  test('is not called DOWN by the doctor while it refuses pings', async () => {
    const pings = Array.from({ length: 3 * limit.burst }, async () =>
      execa('setpriv', [...asNobody, 'scontrol', 'ping'], { env, extendEnv: false, reject: false }),
    );
    const answers = await Promise.all(pings);
    expect(answers.filter(({ stdout }) => stdout.includes('is DOWN')).length).toBeGreaterThan(0);
    for (let time = 0; time < 3; time += 1) {
      const { stdout } = await program('doctor', '--json', '--only', 'slurm');
      const { checks } = JSON.parse(stdout) as {
        checks: { id: string; status: string; evidence: string[] }[];
      };
      const failed = checks.filter(({ status }) => status === 'fail');
      expect(failed).toEqual([]);
      expect(checks.find(({ id }) => id === 'slurm.controller')?.status).toMatch(/ok|warn/);
      // 1 s is more often than the budget allows
      const limits = checks.find(({ id }) => id === 'slurm.limits');
      expect(limits?.status).toBe('warn');
      expect(limits?.evidence.join('\n')).toContain(`${limit.perSecond} requests per second`);
    }
  }, 120_000);

  test('runs a batch, each task once', async () => {
    const worker = execa('setpriv', [...asNobody, dsaSlurm, 'worker'], {
      env,
      extendEnv: false,
      reject: false,
    });
    try {
      const jobs = await Promise.all(
        Array.from({ length: 15 }, async () => lab.publish({ args: ['Clock', '0'] })),
      );
      for (const job of jobs) expectStatus(await lab.ended(job, 240_000), status.success);
    } finally {
      worker.kill('SIGTERM');
      await worker;
    }
    const shown = await lab.command('squeue', ['--noheader', '--states=all', '--format=%j']);
    const names = shown.kind === 'exited' ? shown.stdout.split('\n').filter(Boolean) : [];
    expect(names).toHaveLength(15);
    expect(new Set(names).size).toBe(15);
  }, 300_000);
});
