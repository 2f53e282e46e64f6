import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadSettings } from '../../../../src/config/index.js';
import { answersOfProfile } from '../../../../src/wizard/flow/previous-answers.js';
import { nextCommands } from '../../../../src/wizard/flow/post-install.js';
import { planFiles } from '../../../../src/wizard/files/index.js';
import type { PlannedFile, InitAnswers } from '../../../../src/wizard/init-answers.js';
import { deployment, siteAnswers, siteKinds, sitePlaces, siteSecrets } from '../site.js';

interface Compose {
  services: Record<
    string,
    {
      privileged?: boolean;
      image: string;
      build?: unknown;
      environment?: Record<string, string>;
      ports?: string[];
      volumes?: { source: string; target: string }[];
      healthcheck?: unknown;
    }
  >;
}

const plan = (answers: InitAnswers) => planFiles(answers, sitePlaces);
const named = (files: PlannedFile[], name: string) => {
  const file = files.find(({ path }) => path.endsWith(`/${name}`));
  if (file === undefined) throw new Error(`no ${name} among ${files.map(({ path }) => path).join(', ')}`);
  return file;
};
const composeOf = (answers: InitAnswers) =>
  parse(named(plan(answers), 'docker-compose.yml').content) as Compose;

/** A copy with its keys in reverse order. */
const turned = <T extends object>(table: T) => Object.fromEntries(Object.entries(table).toReversed()) as T;
const ports = (answers: InitAnswers) =>
  Object.values(composeOf(answers).services).flatMap((service) => service.ports ?? []);

/** The path of the assetstore in the container. */
const assetstoreInside = (mountPrefix: string | null) => {
  const answers = siteAnswers({
    slurm: { ...siteAnswers().slurm, mountPrefix },
    deployment: deployment({ assetstore: '/shared/dsa/assetstore' }),
  });
  const provision = parse(named(plan(answers), 'provision.yaml').content) as {
    assetstore: { root: string };
  };
  const volume = composeOf(answers).services['girder']?.volumes?.find(({ source }) =>
    /assetstore/.test(source),
  );
  expect(provision.assetstore.root).toBe(volume?.target);
  return volume?.target;
};

describe.each(siteKinds)('%s', (_, answers) => {
  it('generates the same files for the same answers, byte for byte', () => {
    expect(plan(structuredClone(answers))).toEqual(plan(answers));
  });

  it('has unique absolute paths, with one sentence for each', () => {
    const files = plan(answers);
    expect(files.every(({ path }) => isAbsolute(path))).toBe(true);
    expect(new Set(files.map(({ path }) => path)).size).toBe(files.length);
    expect(files.every(({ purpose }) => /^[A-Z].*\.$/.test(purpose))).toBe(true);
    expect(files.every(({ content }) => content.endsWith('\n') && !content.includes('{{'))).toBe(true);
  });

  it('writes secrets only to files that only the owner can read', () => {
    const holding = plan(answers).filter(({ content }) =>
      siteSecrets.some((secret) => content.includes(secret)),
    );
    expect(holding.length).toBeGreaterThan(0);
    expect(holding.every(({ mode }) => mode === 0o600)).toBe(true);
  });

  it('writes the API key to the profile and nowhere else', () => {
    const holding = plan(answers).filter(({ content }) =>
      content.includes('ApiKeySecret1xxxxxxxxxxxxxxxxxxxxxxxxxxx'),
    );
    expect(holding.map(({ path }) => path.endsWith('.json'))).toEqual(
      answers.girder.apiKey === null ? [] : [true],
    );
  });
});

it('the order of answers does not change the files', () => {
  const word = fc.stringMatching(/^[a-z0-9:_-]{1,12}$/);
  const path = fc.stringMatching(/^\/[ -~]{1,20}$/);
  const secret = fc.stringMatching(/^[ -#%-&(-[\]-~]{6,20}$/);
  const some = fc.record({
    dirs: fc.record({ tmp: path, logs: path, images: path, submitScript: path }),
    slurm: fc.record({
      partition: fc.option(word),
      account: fc.option(word),
      qos: fc.option(word),
      time: fc.option(word),
      mem: fc.option(word),
      cpus: fc.option(fc.integer({ min: 1, max: 512 })),
      gpuPartition: fc.option(word),
      gpuGres: fc.option(word),
      mountPrefix: fc.option(path),
    }),
    broker: fc.record({
      host: fc.constantFrom('localhost', 'mq.example', '::1'),
      port: fc.integer({ min: 1, max: 65_535 }),
      vhost: fc.constantFrom('/', 'lab', '/a b'),
      user: secret,
      password: secret,
      tls: fc.constant(false),
    }),
    service: fc.constantFrom('systemd' as const, 'system' as const, 'script' as const),
    deployment: fc.option(
      fc.record({
        flavour: fc.constantFrom('forked' as const, 'stock' as const),
        directory: path,
        girderPort: fc.integer({ min: 1, max: 65_535 }),
        assetstore: path,
        user: fc.constant('1000:100'),
        adminPassword: secret,
      }),
    ),
  });
  fc.assert(
    fc.property(some, (changes) => {
      const answers = siteAnswers(changes);
      const other = turned({ ...answers, dirs: turned(answers.dirs), slurm: turned(answers.slurm) });
      const places = { ...sitePlaces, environment: turned(sitePlaces.environment) };
      expect(planFiles(structuredClone(other), places)).toEqual(plan(answers));
    }),
    { numRuns: 60 },
  );
});

describe('the profile', () => {
  let configDir: string;
  beforeEach(async () => {
    configDir = await mkdtemp(join(tmpdir(), 'dsa-profile-'));
  });
  afterEach(() => rm(configDir, { recursive: true }));

  const load = async (answers: InitAnswers, profileText: string | null = null) => {
    const [file] = planFiles(answers, { ...sitePlaces, configDir, profileText });
    await mkdir(configDir, { recursive: true });
    await writeFile(file?.path ?? '', file?.content ?? '', { mode: file?.mode });
    return loadSettings({ profile: answers.profile, flags: {}, env: {}, configDir });
  };

  it.each(siteKinds)('loads without problems: %s', async (_, answers) => {
    const { settings, warnings } = await load(answers);
    expect(warnings).toEqual([]);
    expect(settings).toMatchObject({
      broker: { url: 'amqp://dsa:BrokerSecret1@localhost:5672/' },
      dirs: { tmp: '/shared/dsa/tmp', logs: '/shared/dsa/logs', images: '/shared/dsa/SIF' },
      slurm: { submitScript: '/shared/dsa/singularity.slurm', partition: 'batch', cpus: 4, qos: null },
      girder: { apiUrl: 'http://localhost:8080/api/v1', directPaths: false },
    });
  });

  it('contains the answers that it was generated from', async () => {
    const answers = siteAnswers({ slurm: { ...siteAnswers().slurm, qos: 'high', mountPrefix: '/mnt' } });
    await load(answers);
    const { broker, dirs, mongo, apptainer, slurm, girder } = answers;
    const { major: _, caFile: __, ...girderSettings } = girder;
    const { gpuPartition: ___, ...slurmSettings } = slurm;
    expect(answersOfProfile(configDir, 'default')).toEqual({
      broker,
      dirs,
      mongo,
      apptainer,
      girder: girderSettings,
      slurm: slurmSettings,
      worker: { executor: 'slurm' },
    });
  });

  it('keeps settings without a question, and removes those that are answered with none', async () => {
    const before = JSON.stringify({ slurm: { qos: 'high', pollSeconds: 30 }, log: { level: 'debug' } });
    const { settings } = await load(siteAnswers(), before);
    expect(settings.slurm).toMatchObject({ qos: null, pollSeconds: 30 });
    expect(settings.log.level).toBe('debug');
  });

  it.each(['{"broker": ', '[]', '{"slurm": 5}'])(
    'is not generated from a file that contains %s',
    (profileText) => {
      expect(() => planFiles(siteAnswers(), { ...sitePlaces, profileText })).toThrow(
        /must be an object|JSON object|not complete JSON/,
      );
    },
  );

  it('preserves any password', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ minLength: 1 }).filter((text) => !/\p{Cc}/u.test(text)),
        async (password) => {
          const { broker } = siteAnswers();
          const { settings } = await load(siteAnswers({ broker: { ...broker, password } }));
          expect(decodeURIComponent(new URL(settings.broker.url).password)).toBe(password);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('the submit script', () => {
  it('contains the defaults of the site and reads its arguments from a file', () => {
    const { content, mode, path } = named(plan(siteAnswers()), 'singularity.slurm');
    expect(path).toBe('/shared/dsa/singularity.slurm');
    expect(mode).toBe(0o755);
    expect(content.match(/^#SBATCH .*/gm)).toEqual([
      '#SBATCH --account=pathology',
      '#SBATCH --partition=batch',
      '#SBATCH --cpus-per-task=4',
      '#SBATCH --mem=16G',
      '#SBATCH --time=04:00:00',
    ]);
    expect(content).toMatch(/^# dsa-slurm-script: 1$/m);
  });
});

describe('the service', () => {
  it('is a systemd unit in which special characters are quoted', () => {
    const places = { ...sitePlaces, program: '/opt/100%/dsa slurm', environment: { PATH: '/a b:/c"d%e' } };
    const unit = named(planFiles(siteAnswers(), places), 'dsa-slurm.service').content;
    expect(unit).toContain('ExecStart="/opt/100%%/dsa slurm" --profile default worker --standby\n');
    const local = siteAnswers();
    local.worker.executor = 'local';
    expect(named(planFiles(local, places), 'dsa-slurm.service').content).toContain('default worker\n');
    expect(unit).toContain(String.raw`Environment="PATH=/a b:/c\"d%%e"`);
  });

  it('is a system unit, which runs as this user and is left to an administrator', () => {
    const answers = siteAnswers({ service: 'system', profile: 'lab' });
    const unit = named(planFiles(answers, sitePlaces), 'dsa-slurm-lab.service');
    expect(unit.path).toBe(`${sitePlaces.configDir}/dsa-slurm-lab.service`);
    expect(unit.content).toMatch(/^User=dsa$/m);
    expect(unit.content).toMatch(/^WantedBy=multi-user\.target$/m);
    expect(unit.content).toContain('#   sudo systemctl enable --now dsa-slurm-lab.service\n');
    expect(unit.content).not.toContain('--user');
    expect(
      nextCommands(answers, [unit.path])
        .map(([command]) => command)
        .slice(0, 2),
    ).toEqual([
      `sudo install -m 0644 ${unit.path} /etc/systemd/system/dsa-slurm-lab.service`,
      'sudo systemctl daemon-reload && sudo systemctl enable --now dsa-slurm-lab',
    ]);
  });

  it('is a script for each profile without systemd', () => {
    const places = { ...sitePlaces, program: "/opt/it's $5/dsa-slurm" };
    const files = planFiles(siteAnswers({ service: 'script', profile: 'lab' }), places);
    const script = named(files, 'run-lab.sh');
    expect(script.mode).toBe(0o755);
    expect(script.content).toContain(String.raw`exec '/opt/it'\''s $5/dsa-slurm' --profile lab worker "$@"`);
    expect(files.some(({ path }) => path.endsWith('.service'))).toBe(false);
  });
});

describe('a deployment', () => {
  const girder5: InitAnswers['girder'] = {
    apiUrl: 'http://localhost:8080/api/v1',
    apiKey: null,
    caFile: null,
    major: 5,
  };

  it('with a stock image is not privileged and does not mount the Docker socket', () => {
    for (const girder of [siteAnswers().girder, girder5]) {
      const files = plan(siteAnswers({ girder, deployment: deployment() }));
      const text = files.map(({ content }) => content.replaceAll(/^\s*#.*$/gm, '')).join('\n');
      expect(text).not.toMatch(/privileged|docker\.sock|cap_add|security_opt/);
      expect(files.some(({ path }) => path.endsWith('Dockerfile'))).toBe(false);
    }
  });

  it('with the forks installs Apptainer and mounts the images of the worker as /SIF', () => {
    const { girder } = composeOf(siteAnswers({ deployment: deployment({ flavour: 'forked' }) })).services;
    expect(girder).toMatchObject({
      privileged: true,
      environment: { SIF_IMAGE_PATH: '/SIF', LOGS: '/slurm-logs' },
    });
    expect(girder?.volumes).toContainEqual({ type: 'bind', source: '/shared/dsa/SIF', target: '/SIF' });
    expect(girder?.volumes?.some(({ source }) => source.includes('docker.sock'))).toBe(false);
    const dockerfile = named(
      plan(siteAnswers({ deployment: deployment({ flavour: 'forked' }) })),
      'image/Dockerfile',
    );
    expect(dockerfile.content.match(/COMMIT=[0-9a-f]{40}$/gm)).toHaveLength(2);
  });

  it('has a health check and a pinned image for every service', () => {
    for (const [, answers] of siteKinds.filter(([, { deployment }]) => deployment !== null)) {
      for (const [name, service] of Object.entries(composeOf(answers).services)) {
        expect(service.healthcheck, name).toBeDefined();
        if (name !== 'girder') expect(service.image, name).toMatch(/:\d+\.\d+$/);
      }
    }
  });

  it('publishes ports only to this machine unless the worker is elsewhere, and never a MongoDB without login', () => {
    const local = siteAnswers({ deployment: deployment({ girderPort: 9090 }) });
    expect(ports(local)).toEqual(['127.0.0.1:9090:8080', '127.0.0.1:27017:27017', '127.0.0.1:5672:5672']);
    const elsewhere = siteAnswers({
      deployment: deployment(),
      broker: { ...local.broker, host: 'dsa.example', port: 5673 },
      girder: { ...local.girder, apiUrl: 'http://dsa.example:8080/api/v1' },
      mongo: { uri: 'mongodb://dsa:MongoSecret1@dsa.example:27018/girder' },
    });
    expect(ports(elsewhere)).toEqual(['8080:8080', '27018:27017', '5673:5672']);
    const open = { ...elsewhere, mongo: { uri: 'mongodb://dsa.example/girder' } };
    expect(ports(open)).toContain('127.0.0.1:27017:27017');
  });

  it('configures the broker "rabbitmq" in Girder, and the worker’s own address for a Python worker', () => {
    const answers = siteAnswers({
      deployment: deployment(),
      broker: { ...siteAnswers().broker, password: 'p@ss%1', vhost: 'dsa', port: 5673 },
    });
    const files = plan(answers);
    const inside = files.find(({ path }) => path === '/srv/dsa/worker.dist.cfg')?.content;
    const outside = files.find(({ path }) => path === '/srv/dsa/worker/worker.dist.cfg')?.content;
    expect(inside).toContain('broker = amqp://dsa:p%%40ss%%251@rabbitmq:5672/dsa\n');
    expect(inside).toContain('backend = rpc://dsa:p%%40ss%%251@rabbitmq:5672/dsa\n');
    expect(outside).toContain('broker = amqp://dsa:p%%40ss%%251@localhost:5673/dsa\n');
    expect(named(files, '.env').content).toContain("RABBITMQ_DEFAULT_PASS='p@ss%1'\n");
    expect(named(files, '.env').content).toContain(
      "GIRDER_WORKER_BROKER='amqp://dsa:p%40ss%251@rabbitmq:5672/dsa'\n",
    );
  });

  it('of Girder 5 is configured in the environment, and has redis and a worker for the queue "local"', () => {
    const answers = siteAnswers({ deployment: deployment(), girder: girder5 });
    const files = plan(answers);
    expect(files.some(({ path }) => /girder\.cfg|worker\.dist\.cfg/.test(path))).toBe(false);
    expect(Object.keys(composeOf(answers).services)).toEqual(['girder', 'mongodb', 'rabbitmq', 'redis']);
    expect(named(files, 'start-girder.sh').content).toContain('-Q local');
    expect(named(files, '.env').content).toContain('dsa_common_5');
  });

  it('of Girder 3 has memcached, and the broker as a setting', () => {
    const compose = composeOf(siteAnswers({ deployment: deployment() }));
    expect(Object.keys(compose.services)).toEqual(['girder', 'mongodb', 'rabbitmq', 'memcached']);
    expect(compose.services['girder']?.environment).toHaveProperty('GIRDER_SETTING_WORKER_BROKER');
  });

  it('mounts the assetstore at its own path, or without the mount prefix', () => {
    expect(assetstoreInside(null)).toBe('/shared/dsa/assetstore');
    expect(assetstoreInside('/shared/dsa/')).toBe('/assetstore');
    expect(assetstoreInside('/shared/ds')).toBe('/shared/dsa/assetstore');
  });

  it('enables the deprecated features of RabbitMQ 4.3 that Celery needs', () => {
    const { content } = named(plan(siteAnswers({ deployment: deployment() })), 'rabbitmq.conf');
    const lines = content.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines).toEqual([
      expect.stringMatching(/^consumer_timeout = \d{8,}$/),
      'deprecated_features.permit.transient_nonexcl_queues = true',
      'deprecated_features.permit.global_qos = true',
    ]);
  });

  it('quotes unusual paths in every file format', () => {
    const strange = fc
      .stringMatching(/^[ -~]{1,30}$/)
      .map((text) => `/srv/${text.replaceAll('/', '')}`)
      .filter((path) => path !== '/srv/');
    fc.assert(
      fc.property(strange, (path) => {
        const answers = siteAnswers({
          dirs: { ...siteAnswers().dirs, images: path },
          deployment: deployment({ flavour: 'forked', assetstore: path }),
        });
        const volumes = composeOf(answers).services['girder']?.volumes ?? [];
        const sources = volumes.map(({ source }) => source.replaceAll('$$', '$'));
        expect(sources.filter((source) => source === path)).toHaveLength(2);
        const provision = parse(named(plan(answers), 'provision.yaml').content) as {
          assetstore: { root: string };
        };
        expect(provision.assetstore.root).toBe(path);
      }),
      { numRuns: 100 },
    );
  });
});

describe('invalid answers', () => {
  it.each<[string, InitAnswers, RegExp]>([
    [
      'a line break',
      siteAnswers({ dirs: { ...siteAnswers().dirs, tmp: '/tmp/a\nb' } }),
      /dirs\.tmp must be one line/,
    ],
    [
      'a relative path',
      siteAnswers({ dirs: { ...siteAnswers().dirs, logs: 'logs' } }),
      /dirs\.logs must be an absolute/,
    ],
    [
      'two words',
      siteAnswers({ slurm: { ...siteAnswers().slurm, partition: 'a; b' } }),
      /slurm\.partition must be one/,
    ],
    [
      'no address',
      siteAnswers({ girder: { ...siteAnswers().girder, apiUrl: 'girder' } }),
      /girder\.apiUrl must/,
    ],
    [
      'forks of Girder 5',
      siteAnswers({
        girder: { ...siteAnswers().girder, major: 5 },
        deployment: deployment({ flavour: 'forked' }),
      }),
      /require Girder 3/,
    ],
    ['root', siteAnswers({ deployment: deployment({ user: '0:0' }) }), /neither may be 0/],
    ['a short password', siteAnswers({ deployment: deployment({ adminPassword: 'abc' }) }), /at least 6/],
    ['a quote', siteAnswers({ deployment: deployment({ adminPassword: "it's me" }) }), /single quote/],
    [
      'TLS that the container does not have',
      siteAnswers({ deployment: deployment(), broker: { ...siteAnswers().broker, tls: true } }),
      /does not use TLS/,
    ],
    [
      'another database',
      siteAnswers({ deployment: deployment(), mongo: { uri: 'mysql://x' } }),
      /mongodb:\/\//,
    ],
    ['a name that leaves the directory', siteAnswers({ profile: '../x' }), /is not a valid profile name/],
  ])('are rejected: %s', (_, answers, complaint) => {
    expect(() => plan(answers)).toThrow(complaint);
  });

  it('are not repeated in error messages', () => {
    const answers = siteAnswers({ deployment: deployment({ adminPassword: "Leak'ed" }) });
    expect(() => plan(answers)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('Leak') }),
    );
  });
});
