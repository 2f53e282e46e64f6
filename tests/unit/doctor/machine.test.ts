import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sifHeaderBytes } from '../../../src/apptainer/sif-header.js';
import { packageFile } from '../../../src/base/package-file.js';
import type { Clock } from '../../../src/base/clock.js';
import { deployment } from '../../../src/doctor/checks/configuration/deployment.js';
import { environment, judgeEnvironment } from '../../../src/doctor/checks/configuration/environment.js';
import { modes } from '../../../src/doctor/checks/configuration/modes.js';
import { valid } from '../../../src/doctor/checks/configuration/valid.js';
import { findLeftovers, leftovers } from '../../../src/doctor/checks/directories/leftovers.js';
import {
  imagesDirectory,
  judgeDirectory,
  judgePath,
  logsDirectory,
  tmpDirectory,
  type DirectoryFacts,
} from '../../../src/doctor/checks/directories/shared-directory.js';
import { submitScript } from '../../../src/doctor/checks/directories/submit-script.js';
import { clockGirder, clockSlurm, judgeSkew, sdiagTime } from '../../../src/doctor/checks/host/clock.js';
import { judgeLocale } from '../../../src/doctor/checks/host/locale.js';
import { judgeNode } from '../../../src/doctor/checks/host/node.js';
import { judgeOpenFiles } from '../../../src/doctor/checks/host/open-files.js';
import { judgeShell, shellNoise } from '../../../src/doctor/checks/host/shell-noise.js';
import { judgeState, stateDirectory } from '../../../src/doctor/checks/host/state-directory.js';
import { judgeImage } from '../../../src/doctor/checks/images/contents.js';
import { files, judgeFiles } from '../../../src/doctor/checks/images/files.js';
import { journal } from '../../../src/doctor/checks/worker/journal.js';
import { judgeLog, lastErrors } from '../../../src/doctor/checks/worker/last-errors.js';
import { judgeLock, running } from '../../../src/doctor/checks/worker/running.js';
import { lockState } from '../../../src/worker/run-state/state-lock.js';
import { judgeUnfinished } from '../../../src/doctor/checks/worker/unfinished.js';
import type { ConfigurationFacts, Finding } from '../../../src/doctor/check.js';
import {
  ask,
  exited,
  factOf,
  fakeRun,
  missing,
  runContext,
  settingsWith,
  timedOut,
} from '../../support/doctor.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doctor-test-'));
});

afterEach(async () => rm(dir, { recursive: true, force: true }));

/** Checks status, a piece of the evidence, and a piece of the fix; null for none. */
function expectFinding(
  finding: Finding | { status: string; evidence: readonly string[]; fix: string | null },
  status: string,
  evidence: string,
  fix: string | null,
): void {
  expect(finding.evidence.join('\n')).toContain(evidence);
  expect(finding.status).toBe(status);
  if (fix === null) expect(finding.fix ?? null).toBeNull();
  else expect(finding.fix).toContain(fix);
}

const hour = 3_600_000;
const runOf = (changes: object = {}) => ({
  id: 'r1',
  stage: 'running' as const,
  stageSince: 0,
  acceptedAt: 0,
  ...changes,
});

const configurationFacts = (changes: Partial<ConfigurationFacts> = {}): ConfigurationFacts => ({
  path: join(dir, 'lab.json'),
  origins: {},
  warnings: [],
  problems: [],
  ...changes,
});

const byGirder = (skew: number | null) =>
  ask(clockGirder, {}, { 'girder.reach': { apiUrl: '', major: 3, skew } });

const line = (level: number, time: string, msg: string) => JSON.stringify({ level, time, msg });

const lab = { profile: 'lab', deep: false, settings: { worker: { executor: 'slurm' as const } } };

describe('host', () => {
  it.each([
    ['v24.21.0', 'ok', null],
    ['v22.22.2', 'ok', null],
    ['v26.0.0', 'ok', null],
    ['v24.14.0', 'fail', 'nvm install 24'],
    ['v25.1.0', 'fail', 'nvm install 24'],
    ['v20.19.0', 'fail', 'nvm install 24'],
  ])('Node %s', (version, status, fix) => expectFinding(judgeNode(version), status, version, fix));

  it.each([
    [{ LANG: 'de_DE.UTF-8' }, 'ok', 'LANG=de_DE.UTF-8', null],
    [{ LANG: 'C.UTF-8', LC_ALL: 'C' }, 'warn', 'LC_ALL=C is not UTF-8', 'export LANG=C.UTF-8'],
    [{}, 'warn', 'No locale is set', 'export LANG=C.UTF-8'],
  ])('locale %j', (env, status, evidence, fix) => expectFinding(judgeLocale(env), status, evidence, fix));

  it.each([
    [exited('', { ms: 20 }), 'ok', 'starts silently in 20 ms', null],
    [exited('Welcome!\nto'), 'warn', 'first line: Welcome!', '~/.bashrc'],
    [exited('', { ms: 3_000 }), 'warn', 'takes 3000 ms', 'bash -lxc true'],
    [timedOut, 'warn', 'hangs in its startup files', 'bash -lxc true'],
    [missing, 'ok', 'bash is not installed', null],
  ])('shell %#', (result, status, evidence, fix) => expectFinding(judgeShell(result), status, evidence, fix));

  it('starts a login shell', async () => {
    expectFinding(
      await ask(shellNoise, { run: fakeRun({ 'bash -lc true': exited('hello') }) }),
      'warn',
      'hello',
      '[[ $- == *i* ]]',
    );
  });

  it.each([
    ['Max open files            20000                20000                files', 'ok', null],
    ['Max open files            unlimited            unlimited            files', 'ok', null],
    ['Max open files            1024                 1024                 files', 'warn', 'ulimit -n 2512'],
    ['', 'skip', null],
  ])('open files: %s', (limits, status, fix) =>
    expectFinding(judgeOpenFiles(limits, 1_000), status, '', fix),
  );

  it.each([
    [0, 'ok', 'differs by 0 s', null],
    [-29, 'ok', 'differs by 29 s', null],
    [400, 'warn', '400 s ahead', 'timedatectl status'],
    [-400, 'warn', '400 s behind', 'chronyd'],
  ])('a clock that is %d s off', (skew, status, evidence, fix) =>
    expectFinding(judgeSkew(skew, 'It'), status, evidence, fix),
  );

  it("reads the controller's time from sdiag", async () => {
    expect(sdiagTime('***\nsdiag output at Mon Nov 23 20:17:41 2026 (1795464000)\nData since\n')).toBe(
      1_795_464_000,
    );
    expect(sdiagTime('sdiag output at soon')).toBeNull();
    const now = Math.round(Date.now() / 1_000);
    const sdiag = (skew: number) => ({
      run: fakeRun({ sdiag: exited(`sdiag output at x (${now + skew})\n`) }),
    });
    expectFinding(await ask(clockSlurm, sdiag(0)), 'ok', 'controller', null);
    expectFinding(await ask(clockSlurm, sdiag(3_600)), 'warn', 'ahead', 'timedatectl');
    expectFinding(await ask(clockSlurm), 'skip', 'sdiag did not report', null);
  });

  it("judges Girder's clock by its answer", async () => {
    expectFinding(await byGirder(1), 'ok', 'Girder', null);
    expectFinding(await byGirder(-90), 'warn', '90 s behind', 'timedatectl');
    expectFinding(await byGirder(null), 'skip', 'no Date', null);
  });

  const state = { mode: 0o40700, writable: true, free: 50e9, fileSystem: null };
  const nfs = { type: 'nfs4', mountPoint: '/home', source: 'nas:/home', reach: 'shared' } as const;
  it.each([
    ['well', state, 'ok', 'free', null],
    ['open to others', { ...state, mode: 0o40755 }, 'warn', 'Other users can access', 'chmod 700 /s'],
    [
      'on NFS',
      { ...state, fileSystem: nfs },
      'warn',
      'network file system (nfs4)',
      'config set dirs.state /var/lib/dsa-slurm/lab',
    ],
    ['nearly full', { ...state, free: 50e6 }, 'warn', 'Only 50 MB', 'df -h /s'],
    ['full', { ...state, free: 1e6 }, 'fail', 'Only 1 MB', 'df -h /s'],
    ['not writable', { ...state, writable: false }, 'fail', 'not writable', 'chmod u+rwx /s'],
  ])('state directory: %s', (_name, facts, status, evidence, fix) =>
    expectFinding(judgeState('/s', facts, 'lab'), status, evidence, fix),
  );

  it('fixes the mode of a state directory, and accepts one that does not exist yet', async () => {
    const path = join(dir, 'state');
    const settings = settingsWith({ 'dirs.state': path });
    expectFinding(await ask(stateDirectory, { settings }), 'ok', 'does not exist yet', null);
    await mkdir(path, { mode: 0o755 });
    await chmod(path, 0o755);
    expectFinding(await ask(stateDirectory, { settings }), 'warn', 'Other users', `chmod 700 ${path}`);
    const [repair] = stateDirectory.repairs?.(runContext(), await factOf(stateDirectory, { settings })) ?? [];
    expect(repair?.what).toBe(`chmod 700 ${path}`);
    await repair?.apply();
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await ask(stateDirectory, { settings })).status).toBe('ok');
  });
});

describe('configuration', () => {
  it('reports each problem with its fix', async () => {
    expectFinding(await ask(valid), 'skip', 'no profile', null);
    expectFinding(await ask(valid, { configuration: configurationFacts() }), 'ok', 'not written yet', null);
    const problem = {
      key: 'slurm.time',
      source: 'environment X',
      message: 'slurm.time must be.',
      fix: 'Unset X',
    };
    expectFinding(
      await ask(valid, { configuration: configurationFacts({ problems: [problem] }) }),
      'fail',
      'slurm.time must be. (environment X;',
      'Unset X',
    );
    expectFinding(
      await ask(valid, { configuration: configurationFacts({ warnings: ['DSA_SLURM_X means nothing.'] }) }),
      'warn',
      'means nothing',
      'dsa-slurm --profile lab config show',
    );
  });

  it('finds files with secrets that others can read, and restricts them', async () => {
    const path = join(dir, 'lab.json');
    await writeFile(path, '{}', { mode: 0o600 });
    const context = { configuration: configurationFacts(), settings: settingsWith({ 'dirs.state': dir }) };
    const kept = join(dir, 'messages', '1_run.json');
    await mkdir(join(dir, 'messages'));
    await writeFile(kept, '{}', { mode: 0o600 });
    expect((await ask(modes, context)).status).toBe('ok');
    await chmod(kept, 0o640);
    expectFinding(await ask(modes, context), 'warn', '(mode 640)', `chmod 600 ${kept}`);
    await chmod(path, 0o644);
    expectFinding(await ask(modes, context), 'warn', '(mode 644)', `chmod 600 ${path}`);
    for (const repair of modes.repairs?.(runContext(), await factOf(modes, context)) ?? [])
      await repair.apply();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('does not change the target of a link', async () => {
    const victim = join(dir, 'victim');
    await writeFile(victim, '', { mode: 0o644 });
    await symlink(victim, join(dir, 'lab.json'));
    const [repair] = modes.repairs?.(runContext(), [join(dir, 'lab.json')]) ?? [];
    await expect(repair?.apply()).rejects.toThrow('ELOOP');
  });

  it('reports environment variables that override the profile', () => {
    const origins = { 'dirs.logs': { source: 'environment', name: 'LOGS' } } as const;
    expectFinding(
      judgeEnvironment(origins, new Set(['dirs.logs']), {}),
      'warn',
      'LOGS in the environment overrides dirs.logs',
      'unset LOGS',
    );
    expectFinding(judgeEnvironment(origins, new Set(), {}), 'ok', 'dirs.logs comes from LOGS', null);
    expectFinding(judgeEnvironment({}, new Set(), {}), 'ok', 'no environment variable', null);
    expectFinding(
      judgeEnvironment({}, new Set(), { SQUEUE_FORMAT: '%i' }),
      'ok',
      "not passed to Slurm's commands: SQUEUE_FORMAT",
      null,
    );
    expectFinding(
      judgeEnvironment({}, new Set(), { GIRDER_WORKER_DOCKER_RUN_OPTIONS: '{"shm_size": "1g"}' }),
      'warn',
      'has no effect here',
      'apptainer.options',
    );
  });

  it('compares them with the profile', async () => {
    await writeFile(join(dir, 'lab.json'), '{"dirs":{"logs":"/a"}}', { mode: 0o600 });
    const origins = { 'dirs.logs': { source: 'environment', name: 'LOGS' } } as const;
    expectFinding(
      await ask(environment, { configuration: configurationFacts({ origins }) }),
      'warn',
      'LOGS',
      'unset LOGS',
    );
    expect((await ask(environment)).status).toBe('skip');
  });

  it('compares deployment files without showing secrets', async () => {
    const settings = settingsWith({
      'dirs.logs': '/shared/logs',
      'dirs.images': '/shared/sif',
      'broker.url': 'amqp://girder:geheim@localhost/',
    });
    const context = { settings, siteDirectory: dir };
    expect((await ask(deployment, { settings })).status).toBe('skip');
    expectFinding(await ask(deployment, context), 'ok', 'contain no value of a setting', null);
    await writeFile(
      join(dir, 'run.sh'),
      'BASE=/shared\nexport LOGS="$BASE/logs"\nexport TMP="$(mktemp -d)"\n',
    );
    await writeFile(join(dir, 'worker.dist.cfg'), '[celery]\nbroker = amqp://girder:geheim@rabbitmq/\n');
    expectFinding(await ask(deployment, context), 'ok', 'run.sh: LOGS agrees with dirs.logs', null);
    await writeFile(
      join(dir, 'docker-compose.yml'),
      'services:\n  girder:\n    environment:\n      SIF_IMAGE_PATH: ${IMAGES:-/other}\n',
    );
    expectFinding(
      await ask(deployment, context),
      'warn',
      'docker-compose.yml: SIF_IMAGE_PATH is "/other"',
      'config set dirs.images /other',
    );
    await writeFile(join(dir, 'worker.local.cfg'), '[celery]\nbroker = amqp://girder:verraten@rabbitmq/\n');
    const result = await ask(deployment, context);
    expectFinding(
      result,
      'warn',
      'worker.local.cfg: GIRDER_WORKER_BROKER is a different user, password or virtual host',
      'config set broker.url -',
    );
    expect(JSON.stringify(result)).not.toMatch(/geheim|verraten/);
    await writeFile(join(dir, 'docker-compose.yml'), 'a: [geheim');
    expectFinding(await ask(deployment, context), 'warn', 'docker-compose.yml cannot be read', 'less');
  });
});

describe('directories', () => {
  const wanted = {
    key: 'dirs.tmp',
    title: '',
    legacyName: 'TMP',
    room: { warn: 20e9, fail: 200e6 },
  } as const;
  const local = { type: 'xfs', mountPoint: '/', source: '/dev/sda', reach: 'local' } as const;
  const facts: DirectoryFacts = {
    mode: 0o40770,
    writable: true,
    readable: true,
    space: { bytes: 500e9, inodes: 1e6 },
    fileSystem: { type: 'nfs4', mountPoint: '/shared', source: 'nas:/x', reach: 'shared' },
    provedBy: null,
  };
  it.each([
    ['well', facts, 'ok', '500 GB free, nfs4', null],
    [
      'not writable',
      { ...facts, writable: false },
      'fail',
      'This user cannot write to',
      'chmod u+rwx /shared/tmp',
    ],
    ['not readable', { ...facts, readable: false }, 'fail', 'cannot read', 'chmod u+rwx /shared/tmp'],
    ['open to all', { ...facts, mode: 0o40777 }, 'warn', 'All users can write', 'chmod o-w /shared/tmp'],
    [
      'open to all, sticky',
      { ...facts, mode: 0o41777 },
      'warn',
      'All users',
      'config set dirs.tmp /shared/tmp',
    ],
    [
      'little room',
      { ...facts, space: { bytes: 1e9, inodes: null } },
      'warn',
      'Only 1 GB are free',
      'df -h /shared/tmp',
    ],
    [
      'no room',
      { ...facts, space: { bytes: 1e6, inodes: null } },
      'fail',
      'Only 1 MB are free',
      'df -h /shared/tmp',
    ],
    [
      'few inodes',
      { ...facts, space: { bytes: 500e9, inodes: 500 } },
      'warn',
      'Only 500 inodes',
      'df -i /shared/tmp',
    ],
    [
      'no inodes',
      { ...facts, space: { bytes: 500e9, inodes: 5 } },
      'fail',
      'Only 5 inodes',
      'df -i /shared/tmp',
    ],
    [
      'local',
      { ...facts, fileSystem: local },
      'warn',
      'a local file system (xfs',
      'doctor --deep --only directories.probe',
    ],
  ])('%s', (_name, seen, status, evidence, fix) =>
    expectFinding(judgeDirectory('/shared/tmp', seen, wanted, lab), status, evidence, fix),
  );

  it('leaves the test of sharing to a deep run', () => {
    const finding = judgeDirectory('/shared/tmp', { ...facts, fileSystem: local }, wanted, {
      ...lab,
      deep: true,
    });
    expect(finding.status).toBe('ok');
  });

  it('does not require sharing if this host runs the jobs', () => {
    const here = { ...lab, settings: { worker: { executor: 'local' as const } } };
    expect(judgeDirectory('/d', { ...facts, fileSystem: local }, wanted, here).status).toBe('ok');
    expectFinding(
      judgePath('/a:b', wanted, here)[0] as Finding,
      'fail',
      'breaks container binds',
      '/var/lib/dsa/',
    );
  });

  it('explains where logs go in a world-writable directory', () => {
    const logs = { ...wanted, key: 'dirs.logs' } as const;
    expectFinding(
      judgeDirectory('/shared/logs', { ...facts, mode: 0o41777 }, logs, lab),
      'warn',
      'the worker uses its own subdirectory',
      'config set dirs.logs /shared/logs',
    );
    expectFinding(
      judgeDirectory('/shared/logs', { ...facts, mode: 0o40777 }, logs, lab),
      'warn',
      'All users can write to /shared/logs.',
      'chmod o-w /shared/logs',
    );
  });

  it('requires only read access to images', () => {
    const images = { ...wanted, key: 'dirs.images', readOnly: true } as const;
    expect(judgeDirectory('/i', { ...facts, writable: false }, images, lab).status).toBe('ok');
  });

  it.each([',', ':', '"', '\\', '%', ';', '\n', "'"])('refuses a path with %j', (letter) => {
    expectFinding(
      judgePath(`/a${letter}b`, wanted, lab)[0] as Finding,
      'fail',
      'breaks container binds',
      'config set dirs.tmp',
    );
  });

  it('warns about a space in a path', () => {
    expectFinding(
      judgePath('/a b', wanted, lab)[0] as Finding,
      'warn',
      'contains a space',
      'config set dirs.tmp',
    );
  });

  it.each([
    ['tmp', tmpDirectory],
    ['logs', logsDirectory],
    ['images', imagesDirectory],
  ])('looks at dirs.%s, and makes it where it is missing', async (name, check) => {
    const path = join(dir, 'new', name);
    const settings = settingsWith({ [`dirs.${name}`]: path });
    expectFinding(
      await ask(check, { settings }),
      'fail',
      `${path} does not exist`,
      `mkdir -p -m 0770 ${path}`,
    );
    const [repair] = check.repairs?.(runContext(), await factOf(check, { settings })) ?? [];
    expect(repair?.what).toBe(`mkdir -p -m 0770 ${path}`);
    await repair?.apply();
    expect((await ask(check, { settings, deep: true })).evidence.join()).toContain(`${path}: mode 0`);
    await rm(path, { recursive: true });
    await writeFile(path, '');
    expectFinding(await ask(check, { settings }), 'fail', 'is not a directory', `ls -ld ${path}`);
  });

  it('does not offer to create a directory with an unusable path', async () => {
    const settings = settingsWith({ 'dirs.logs': join(dir, 'a,b') });
    expectFinding(
      await ask(logsDirectory, { settings }),
      'fail',
      'breaks container binds',
      'config set dirs.logs',
    );
    expect(logsDirectory.repairs?.(runContext(), await factOf(logsDirectory, { settings }))).toEqual([]);
  });

  it('names the setting if it is missing', async () => {
    expectFinding(
      await ask(logsDirectory),
      'fail',
      'dirs.logs (LOGS) is not set',
      'dsa-slurm --profile lab config set dirs.logs /shared/logs',
    );
  });

  it('checks the submit script', async () => {
    expect((await ask(submitScript)).evidence.join()).toContain('templates/singularity.slurm');
    const script = join(dir, 'own.slurm');
    const settings = settingsWith({ 'slurm.submitScript': script });
    expectFinding(await ask(submitScript, { settings }), 'fail', 'cannot be read', 'slurm.submitScript');
    await writeFile(script, '#!/bin/bash\n# dsa-slurm-script: 1\n');
    await chmod(script, 0o755);
    expectFinding(
      await ask(submitScript, { settings }),
      'warn',
      'is from another release, or was changed',
      `diff ${script} `,
    );
    // what a site adds, and changes in comments, are its own
    const shipped = await readFile(packageFile('templates/singularity.slurm'), 'utf8');
    const adapted = shipped
      .replace('##SBATCH --mem=4G', '#SBATCH --mem=8G')
      .replace('# module load apptainer', '  module load apptainer');
    expect(adapted).not.toBe(shipped);
    await writeFile(script, adapted);
    expect((await ask(submitScript, { settings })).status).toBe('ok');
    await writeFile(script, shipped.replace(/^trap .* QUIT$/m, ''));
    expectFinding(
      await ask(submitScript, { settings }),
      'warn',
      'is from another release, or was changed',
      'diff ',
    );
    await writeFile(script, shipped);
    await chmod(script, 0o777);
    expectFinding(
      await ask(submitScript, { settings }),
      'warn',
      'Other users can change',
      `chmod go-w ${script}`,
    );
    await writeFile(script, '#!/bin/bash\napptainer exec "$@"\n');
    await chmod(script, 0o755);
    expectFinding(
      await ask(submitScript, { settings }),
      'warn',
      'is not from dsa-slurm',
      'config set slurm.submitScript --default',
    );
  });

  describe('leftovers', () => {
    const now = Date.now();
    const long = now - 60 * 60_000;
    const run = (id: string, changes: object = {}) => ({
      id,
      stage: 'finished' as const,
      outcome: 'succeeded' as const,
      finishedAt: long,
      ...changes,
    });
    const runs = [
      run('done'),
      run('failed', { outcome: 'failed' }),
      run('just-now', { finishedAt: now }),
      run('alive', { stage: 'running', outcome: null, finishedAt: null }),
    ];

    beforeEach(async () => {
      for (const name of ['done', 'failed', 'just-now', 'alive', 'other'])
        await mkdir(join(dir, `dsa-slurm-${name}`));
      await utimes(join(dir, 'dsa-slurm-other'), 1, 1);
      await symlink('/etc', join(dir, 'dsa-slurm-link'));
      await mkdir(join(dir, 'somebody'));
    });

    it('are directories of finished runs of this journal', async () => {
      expect(await findLeftovers({ tmp: dir, keepFiles: false, now }, runs)).toEqual({
        finished: [join(dir, 'dsa-slurm-done'), join(dir, 'dsa-slurm-failed')],
        unknown: [join(dir, 'dsa-slurm-other')],
      });
    });

    it('stay for failed runs with worker.keepFiles', async () => {
      const { finished } = await findLeftovers({ tmp: dir, keepFiles: true, now }, runs);
      expect(finished).toEqual([join(dir, 'dsa-slurm-done')]);
    });

    it('are the only directories that --fix removes', async () => {
      const context = { settings: settingsWith({ 'dirs.tmp': dir }) };
      const known = { 'worker.journal': { runs } };
      expectFinding(
        await ask(leftovers, context, known),
        'warn',
        '2 directories of finished runs',
        'doctor --fix --only directories.leftovers',
      );
      for (const repair of leftovers.repairs?.(runContext(), await factOf(leftovers, context, known)) ?? []) {
        await repair.apply();
      }
      expect((await readdir(dir)).toSorted()).toEqual([
        'dsa-slurm-alive',
        'dsa-slurm-just-now',
        'dsa-slurm-link',
        'dsa-slurm-other',
        'somebody',
      ]);
      expectFinding(await ask(leftovers, context, known), 'ok', 'not in this journal', null);
    });
  });
});

describe('images', () => {
  const now = 1e12;
  const sif = { name: 'a_b_v1.sif', size: 1e9, readable: true, expectedSize: 1e9, modifiedAt: 0 };
  it.each([
    ['well', [sif], 'ok', '1 image in /i, 1 GB', null],
    ['none', [], 'warn', 'There are no images', 'dsa-slurm images pull example/small:v1'],
    ['unreadable', [{ ...sif, readable: false }], 'warn', 'cannot read', 'chmod go+r /i/a_b_v1.sif'],
    ['no SIF', [{ ...sif, expectedSize: null, size: 10 }], 'warn', 'is not a SIF (10 B)', 'rm /i/a_b_v1.sif'],
    ['cut short', [{ ...sif, size: 10 }], 'warn', 'truncated: 10 of 1000000000 bytes', 'rm /i/a_b_v1.sif'],
    ['still coming', [{ ...sif, expectedSize: null, modifiedAt: now - 1_000 }], 'ok', '1 image', null],
    [
      'rubble',
      [sif, { ...sif, name: 'x.sif.tmp', expectedSize: null }],
      'warn',
      'Left by interrupted pulls',
      'rm -r /i/x.sif.tmp',
    ],
  ])('files: %s', (_name, list, status, evidence, fix) =>
    expectFinding(judgeFiles('/i', list, now), status, evidence, fix),
  );

  it('may be missing on a new site, where girder.images says how to add the first one', () => {
    expectFinding(judgeFiles('/i', [], now, { asksGirder: true }), 'ok', 'no images in /i yet', null);
  });

  it('recognizes a SIF by its header, and a truncated one', async () => {
    const content = Buffer.alloc(sifHeaderBytes + 72);
    content.write('#!/usr/bin/env run-singularity\n', 0);
    content.write('SIF_MAGIC', 32);
    content.writeBigInt64LE(128n, 112);
    content.writeBigInt64LE(72n, 120);
    await writeFile(join(dir, 'good_v1.sif'), content);
    await writeFile(join(dir, 'half_v1.sif'), content.subarray(0, 150));
    await writeFile(join(dir, 'other_v1.sif'), 'nothing');
    for (const name of ['half_v1.sif', 'other_v1.sif']) await utimes(join(dir, name), 1, 1);
    const context = { settings: settingsWith({ 'dirs.images': dir }) };
    expectFinding(await ask(files, context), 'warn', 'half_v1.sif is truncated: 150 of 200 bytes', 'rm ');
    expectFinding(await ask(files, context), 'warn', 'other_v1.sif is not a SIF', 'rm ');
    expect(await factOf(files, context)).toEqual(['good_v1.sif', 'other_v1.sif']);
  });

  const facts = {
    labels: {},
    workingDirectory: '/opt/x',
    workingDirectoryFrom: 'label' as const,
    entrypoint: ['./docker-entrypoint.sh'],
    entrypointFrom: 'label' as const,
    cmd: [],
    needsGpu: false,
    oci: null,
    inside: null,
  };
  const silent = {
    ...facts,
    workingDirectory: null,
    workingDirectoryFrom: null,
    entrypoint: null,
    entrypointFrom: null,
  };
  it.each([
    ['label', facts, {}, 'ok', 'working directory /opt/x from its label', null],
    ['says nothing', silent, {}, 'fail', 'has no working directory', 'config set apptainer.workingDirectory'],
    [
      'no entry point',
      { ...silent, workingDirectory: '/x' },
      {},
      'fail',
      'has no entry point',
      'config set apptainer.entrypoint',
    ],
    [
      'settings say it',
      silent,
      { 'apptainer.workingDirectory': '/a', 'apptainer.entrypoint': 'x' },
      'ok',
      '/a from the settings',
      null,
    ],
    ['GPU', { ...facts, needsGpu: true }, {}, 'warn', 'needs a GPU', 'config set slurm.gpuPartition gpu'],
    ['GPU with partition', { ...facts, needsGpu: true }, { 'slurm.gpuPartition': 'gpu' }, 'ok', 'GPU', null],
  ])('contents: %s', (_name, seen, flags, status, evidence, fix) =>
    expectFinding(judgeImage('x.sif', seen, settingsWith(flags), 'lab'), status, evidence, fix),
  );
});

/** Looks come after half a second each; the doctor's own time never ends. */
const clockWith = (between: () => Promise<void>): Clock => ({
  now: () => 0,
  monotonic: () => 0,
  sleep: async (ms) => (ms === 500 ? between() : new Promise(() => undefined)),
});

describe('worker', () => {
  const owner = { pid: 7, host: hostname(), since: '2026-11-23', machine: null, born: null };
  it.each([
    ['runs', { owner, age: 0, dead: false }, 'ok', 'process 7', null],
    [
      'running on another host',
      { owner: { ...owner, host: 'far' }, age: 0, dead: false },
      'ok',
      'running on another host',
      null,
    ],
    [
      'none',
      { owner: null, age: null, dead: false },
      'warn',
      'No worker is running',
      'dsa-slurm --profile lab worker',
    ],
    ['dead', { owner, age: 0, dead: true }, 'warn', 'died', 'worker'],
    [
      'stale',
      { owner, age: 60_000, dead: false },
      'warn',
      'not renewed for 60 s',
      'once the lock has expired',
    ],
  ])('lock: %s', (_name, lock, status, evidence, fix) =>
    expectFinding(judgeLock(lock, 'lab'), status, evidence, fix),
  );

  it('reads lock and owner', async () => {
    const settings = settingsWith({ 'dirs.state': dir });
    expectFinding(await ask(running, { settings }), 'warn', 'No worker is running', 'worker');
    const lease = await lockState(dir, { leaseSeconds: 3, onLost: expect.fail });
    expectFinding(await ask(running, { settings }), 'ok', `process ${process.pid}`, null);
    await lease.release();
    expectFinding(await ask(running, { settings }), 'warn', 'No worker is running', 'worker');
  });

  it('watches the lock of a worker on another host', async () => {
    const settings = settingsWith({ 'dirs.state': dir });
    await mkdir(join(dir, 'worker.lock'));
    const lease = { generation: 1, state: 'held', leaseMs: 3_000, owner: { ...owner, host: 'far' } };
    const write = async (renewal: number): Promise<void> =>
      writeFile(join(dir, 'worker.lock', 'lease.1'), JSON.stringify({ ...lease, renewal }));
    await write(1);
    let renewal = 1;
    const renewing = clockWith(async () => write((renewal += 1)));
    const seen = await ask(running, { settings, clock: renewing });
    expectFinding(seen, 'ok', 'running on another host: process 7 on far', null);
    const silent = clockWith(async () => undefined);
    expectFinding(
      await ask(running, { settings, clock: silent }),
      'warn',
      'not renewed for 1 s',
      'has expired',
    );
  });

  it('reads the journal without changing it', async () => {
    const settings = settingsWith({ 'dirs.state': dir });
    expectFinding(await ask(journal, { settings }), 'ok', 'none yet', null);
    const path = join(dir, 'journal.jsonl');
    const head = JSON.stringify({ journal: 'dsa-slurm', version: 1 });
    const accepted = JSON.stringify({
      run: 'r1',
      event: { type: 'accepted', at: 1, task: { id: 'r1' }, refusal: null },
    });
    await writeFile(path, `${head}\n${accepted}\n{"torn`);
    expectFinding(await ask(journal, { settings }), 'ok', '1 run, 1 not finished', null);
    await writeFile(path, `${head}\n${accepted}\nrubbish\n`);
    expectFinding(await ask(journal, { settings }), 'warn', '1 line cannot be read', 'df -h');
    expect(await readdir(dir)).toEqual(['journal.jsonl']);
    await writeFile(path, `${JSON.stringify({ journal: 'dsa-slurm', version: 99 })}\n`);
    expectFinding(await ask(journal, { settings }), 'fail', 'newer dsa-slurm', 'Start that version');
  });

  it.each([
    ['none', [], 'ok', 'no unfinished runs', null],
    ['one', [runOf()], 'ok', '1 unfinished run, the oldest for 2 h', null],
    ['finished only', [runOf({ stage: 'finished' })], 'ok', 'no unfinished runs', null],
    [
      'long in staging',
      [runOf({ stage: 'staging', stageSince: -20 * hour })],
      'warn',
      'r1 staging for 22 h',
      'dsa-slurm console',
    ],
    [
      'waiting for Girder',
      [runOf({ girderProblem: 'Girder at http://girder:8080 could not be reached (ENOTFOUND).' })],
      'warn',
      '1 run waiting for Girder: Girder at http://girder:8080 could not be reached',
      'dsa-slurm runs list',
    ],
    [
      'older than its token',
      [runOf({ acceptedAt: -8 * 24 * hour })],
      'warn',
      'older than 7 days',
      'cancel them',
    ],
  ])('unfinished: %s', (_name, runs, status, evidence, fix) =>
    expectFinding(judgeUnfinished(runs, 2 * hour), status, evidence, fix),
  );

  it('shows the last errors of the log', async () => {
    const now = Date.parse('2026-11-23T12:00:00Z');
    const text = [
      line(30, '2026-11-23T11:00:00Z', 'fine'),
      line(50, '2026-11-20T11:00:00Z', 'long ago'),
      'no JSON',
      line(50, '2026-11-23T11:30:00Z', 'it \u001b[31mbroke'),
    ].join('\n');
    const finding = judgeLog(text, '/l', now);
    expectFinding(finding, 'warn', '1 error in the last 24 hours', 'grep');
    expect(finding.evidence.join()).not.toContain('long ago');
    expect(finding.evidence.join()).not.toContain('\u001b');
    expectFinding(judgeLog(line(30, '2026-11-23T11:00:00Z', 'fine'), '/l', now), 'ok', 'no errors', null);
  });

  it('reads the configured log file', async () => {
    expectFinding(await ask(lastErrors), 'skip', 'log.file is not set', null);
    const path = join(dir, 'log');
    const settings = settingsWith({ 'log.file': path });
    expectFinding(await ask(lastErrors, { settings }), 'ok', 'does not exist yet', null);
    await writeFile(path, `${JSON.stringify({ level: 50, time: new Date().toISOString(), msg: 'broke' })}\n`);
    expectFinding(await ask(lastErrors, { settings }), 'warn', 'broke', 'grep');
  });
});
