import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageFile } from '../../../../src/base/package-file.js';
import { findLeftovers, leftovers } from '../../../../src/doctor/checks/directories/leftovers.js';
import {
  type DirectoryFacts,
  imagesDirectory,
  judgeDirectory,
  judgePath,
  logsDirectory,
  tmpDirectory,
} from '../../../../src/doctor/checks/directories/shared-directory.js';
import { submitScript } from '../../../../src/doctor/checks/directories/submit-script.js';
import type { Finding } from '../../../../src/doctor/check.js';
import { ask, expectFinding, factOf, runContext, settingsWith } from '../../../support/doctor.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doctor-test-'));
});

afterEach(async () => rm(dir, { recursive: true, force: true }));

const lab = { profile: 'lab', deep: false, settings: { worker: { executor: 'slurm' as const } } };

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
