import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deployment } from '../../../../src/doctor/checks/configuration/deployment.js';
import { environment, judgeEnvironment } from '../../../../src/doctor/checks/configuration/environment.js';
import { modes } from '../../../../src/doctor/checks/configuration/modes.js';
import { valid } from '../../../../src/doctor/checks/configuration/valid.js';
import type { ConfigurationFacts } from '../../../../src/doctor/check.js';
import { ask, expectFinding, factOf, runContext, settingsWith } from '../../../support/doctor.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doctor-test-'));
});

afterEach(async () => rm(dir, { recursive: true, force: true }));

const configurationFacts = (changes: Partial<ConfigurationFacts> = {}): ConfigurationFacts => ({
  path: join(dir, 'lab.json'),
  origins: {},
  warnings: [],
  problems: [],
  ...changes,
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
