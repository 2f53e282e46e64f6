import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planFiles } from '../../../../src/wizard/files/index.js';
import { importSite } from '../../../../src/wizard/import/index.js';
import { deployment, siteAnswers, sitePlaces } from '../site.js';

let dir: string;
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'dsa-old-')));
});
afterEach(() => rm(dir, { recursive: true }));

const put = async (name: string, text: string) => {
  const path = join(dir, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
};

/** Like run.sh of the Python worker: variables before one long command. */
const classicRunScript = `#!/usr/bin/env bash
HERE="$( cd "$( dirname "\${BASH_SOURCE[0]}" )" && pwd )"

. ./venv/bin/activate
echo -e "edit me first.\\n" && exit 1   # a comment; with 'quotes

TMP=/shared/tmp \\
    SIF_IMAGE_PATH="$HERE/../SIF" \\
    LOGS="$HERE/../logs" \\
    GIRDER_WORKER_SLURM_SUBMIT_SCRIPT="$HERE/lib/girder_worker/girder_worker/slurm/singularity.slurm" \\
    GW_DIRECT_PATHS=true \\
    python -m girder_worker -l info --concurrency=2
`;

describe('run.sh', () => {
  it('of the Python worker is read, including the way in which it finds its own directory', async () => {
    await put('worker/run.sh', classicRunScript);
    await put(
      'worker/lib/girder_worker/girder_worker/slurm/singularity.slurm',
      '#!/bin/bash\n#SBATCH --partition=girdercompute\n#SBATCH --cpus-per-task=2\n#SBATCH --mem 1G\n# SBATCH --time=1\n',
    );
    const { answers, found, notes } = await importSite(dir);
    expect(answers).toEqual({
      dirs: { tmp: '/shared/tmp', images: join(dir, 'SIF'), logs: join(dir, 'logs') },
      slurm: { partition: 'girdercompute', cpus: 2, mem: '1G' },
      girder: { directPaths: true },
    });
    expect(found).toEqual([
      join(dir, 'worker/run.sh'),
      join(dir, 'worker/lib/girder_worker/girder_worker/slurm/singularity.slurm'),
    ]);
    expect(notes.join('\n')).toContain('belongs to the Python worker');
  });

  it('is read with exports, quotes, defaults and variables', async () => {
    await put(
      'run.sh',
      [
        "export BASE='/shared/my $data' OTHER=x",
        'export TMPDIR="${BASE}/tmp" LOGS=${NOWHERE:-/shared/logs}',
        'SIF_IMAGE_PATH=$BASE/SIF; export SIF_IMAGE_PATH',
        'export GIRDER_WORKER_SLURM_SUBMIT_SCRIPT=slurm/own.slurm GIRDER_WORKER_SLURM_MOUNT_PREFIX=/mnt/dsa',
        'export GIRDER_WORKER_BROKER=amqp://me:p%40ss@mq.example/lab GIRDER_WORKER_API_URL=http://girder:8080/api/v1/',
        'exec python -m girder_worker',
      ].join('\n'),
    );
    const { answers } = await importSite(dir);
    expect(answers).toEqual({
      dirs: {
        tmp: '/shared/my $data/tmp',
        logs: '/shared/logs',
        images: '/shared/my $data/SIF',
        submitScript: join(dir, 'slurm/own.slurm'),
      },
      slurm: { mountPrefix: '/mnt/dsa' },
      broker: { host: 'mq.example', port: 5672, vhost: 'lab', user: 'me', password: 'p@ss', tls: false },
      girder: { apiUrl: 'http://girder:8080/api/v1' },
    });
  });

  it('is never run, and values that would require it are unknown', async () => {
    const proof = join(dir, 'executed');
    await put(
      'run.sh',
      `LOGS=/old\nLOGS=$(touch ${proof}; echo /x)\nTMP=\`touch ${proof}\`\nSIF_IMAGE_PATH=$TMP/SIF\n`,
    );
    const { answers, notes } = await importSite(dir);
    expect(existsSync(proof)).toBe(false);
    expect(answers).toEqual({});
    expect(notes.filter((note) => note.includes('without running the script'))).toHaveLength(3);
  });

  it.each([
    ['doubling variables', `A=${'x'.repeat(100)}\n${'A=$A$A\n'.repeat(60)}LOGS=$A\n`],
    ['open quotes', 'LOGS="abc\n'],
    ['open brackets', `LOGS=${'$('.repeat(2_000)}\n`],
    ['no text', 'LOGS=/a\0b\n'],
    ['far too much', `LOGS=/a\n${'#'.repeat(300_000)}\n`],
  ])('with %s does no harm', async (_, text) => {
    await put('run.sh', text);
    expect((await importSite(dir)).answers).toEqual({});
  });

  it('is ignored if it is a named pipe', async () => {
    execFileSync('/usr/bin/mkfifo', [join(dir, 'run.sh')]);
    expect((await importSite(dir)).found).toEqual([]);
  });
});

describe('worker.local.cfg and worker.dist.cfg', () => {
  it('contain the broker, and the local file takes precedence', async () => {
    await put('worker.dist.cfg', '[celery]\nbroker=amqp://guest:guest@localhost/\n');
    await put('worker/worker.local.cfg', '; mine\n[celery]\nBroker : amqps://me:a%%40b@mq.example/%%2Flab\n');
    expect((await importSite(dir)).answers).toEqual({
      broker: { host: 'mq.example', port: 5671, vhost: '/lab', user: 'me', password: 'a@b', tls: true },
    });
  });

  it('may refer to environment variables', async () => {
    await put(
      'worker.dist.cfg',
      '[celery]\nbroker=amqp://%(RABBITMQ_USER)s:%(RABBITMQ_PASS)s@%(RABBITMQ_HOST)s/\n',
    );
    expect((await importSite(dir)).answers.broker).toMatchObject({ user: 'guest', host: 'localhost' });
  });

  it.each(['%(nothing)s', '%(broker)s', 'redis://x/', 'amqp://a:%zz@h/'])(
    'with a broker of %s tell nothing',
    async (broker) => {
      await put('worker.dist.cfg', `[celery]\nbroker=${broker}\n`);
      expect((await importSite(dir)).answers).toEqual({});
    },
  );
});

describe('docker-compose.yml', () => {
  const compose = `
x-base: &base
  restart: always
services:
  girder:
    <<: *base
    image: dsarchive/dsa_common
    build: { context: ../.., dockerfile: apptainer.Dockerfile }
    environment:
      - DSA_USER=\${DSA_USER:-}
      - LOGS=/logs
      - NOTHING
    ports:
      - "\${DSA_PORT:-8080}:8080"
    volumes:
      - ./SIF:/SIF
      - ./assetstore:/assetstore:rw
      - ./logs:/logs
      - named:/data
  mongodb:
    image: mongo:latest
    ports: ["27017:27017"]
  rabbitmq:
    image: rabbitmq:latest
    ports: [{ target: 5672, published: 5673 }]
    environment:
      RABBITMQ_DEFAULT_USER: \${RABBITMQ_DEFAULT_USER:-}
      RABBITMQ_DEFAULT_PASS: \${RABBITMQ_DEFAULT_PASS:-}
`;

  it('contains directories, ports and names, with the values of its .env', async () => {
    await put('docker-compose.yml', compose);
    await put(
      '.env',
      '# mine\nDSA_USER=1001:1002\nRABBITMQ_DEFAULT_USER=\'me\'\nRABBITMQ_DEFAULT_PASS="pw"\nDSA_PORT=9090\n',
    );
    await put('worker.dist.cfg', '[celery]\nbroker=amqp://guest:guest@rabbitmq/\n');
    const { answers } = await importSite(dir);
    expect(answers).toEqual({
      dirs: { images: join(dir, 'SIF'), logs: join(dir, 'logs') },
      // worker.dist.cfg takes precedence, but "rabbitmq" is a name inside the containers
      broker: { host: 'localhost', port: 5673, user: 'guest', password: 'guest', vhost: '/', tls: false },
      girder: { apiUrl: 'http://localhost:9090/api/v1', major: 3 },
      mongo: { uri: 'mongodb://localhost:27017/girder' },
      deployment: {
        flavour: 'forked',
        directory: dir,
        girderPort: 9090,
        assetstore: join(dir, 'assetstore'),
        user: '1001:1002',
      },
    });
  });

  it('causes a note if its broker cannot be reached', async () => {
    await put('compose.yml', 'services: {rabbitmq: {image: rabbitmq}}');
    expect((await importSite(dir)).notes.join()).toContain('not published');
  });

  it.each([
    [
      'aliases without end',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.replaceAll(/./g, (c, i: number) => `${c}: &${c} [${`*${'abcdefgh'.charAt(i)},`.repeat(9)}]\n`)}services: *i\n`,
    ],
    ['what is not YAML', 'services: [}'],
    ['other shapes', 'services: {girder: [1], rabbitmq: {ports: 5, volumes: {a: b}, environment: [[1]]}}'],
    ['a prototype', 'services: {girder: {environment: {__proto__: {DSA_USER: "1:1"}}}}'],
  ])('with %s does no harm', async (_, text) => {
    await put('docker-compose.yml', text);
    const { found, answers } = await importSite(dir);
    expect(found).toEqual([join(dir, 'docker-compose.yml')]);
    expect(JSON.stringify(answers)).not.toContain('1:1');
  });
});

describe('a directory', () => {
  it('without known files causes a note', async () => {
    expect(await importSite(join(dir, 'nowhere'))).toMatchObject({
      answers: {},
      found: [],
      notes: [expect.stringContaining('No run.sh')],
    });
  });

  it.each(['forked', 'stock'] as const)(
    'that init itself wrote gives its answers back: %s',
    async (flavour) => {
      const answers = siteAnswers({
        deployment: deployment({ flavour, directory: dir }),
        broker: { ...siteAnswers().broker, password: 'p@:/%ss$1', vhost: 'lab', port: 5673 },
      });
      for (const { path, content } of planFiles(answers, sitePlaces)) {
        if (path.startsWith(dir)) await put(path.slice(dir.length), content);
      }
      const { answers: again } = await importSite(dir);
      expect(again).toMatchObject({
        broker: answers.broker,
        mongo: answers.mongo,
        girder: { apiUrl: answers.girder.apiUrl, major: 3 },
        deployment: answers.deployment,
      });
      expect(again.dirs).toEqual(
        flavour === 'forked' ? { images: answers.dirs.images, logs: answers.dirs.logs } : undefined,
      );
    },
  );

  it.each([
    ['run.sh', 'export GIRDER_WORKER_BACKEND=amqp://u:Hidden1@h/\n'],
    ['run.sh', 'export CELERY_RESULT_BACKEND=redis://:Hidden1@h/\n'],
    ['worker.local.cfg', '[celery]\nbackend=amqp://u:Hidden1@h/\n'],
    [
      'docker-compose.yml',
      'services:\n  girder:\n    environment:\n      GIRDER_WORKER_BACKEND: amqp://u:Hidden1@h/\n',
    ],
  ])('with another result backend in %s causes a note that it becomes rpc://', async (name, text) => {
    await put(name, text);
    const { answers, notes } = await importSite(dir);
    expect(answers.broker).toBeUndefined();
    expect(notes).toEqual([expect.stringMatching(/^\S+: Its result backend is ignored: .*rpc:\/\//)]);
    expect(notes.join()).not.toContain('Hidden1');
  });

  it.each(['rpc://u:p@h/', 'rpc', ''])('with the result backend "%s" causes no note', async (backend) => {
    await put('run.sh', `export GIRDER_WORKER_BACKEND=${backend}\n`);
    expect((await importSite(dir)).notes).toEqual([]);
  });

  it("with options of Docker: the remark names Apptainer's", async () => {
    await put('run.sh', `export GIRDER_WORKER_DOCKER_RUN_OPTIONS='{"shm_size": "1g"}'\n`);
    expect((await importSite(dir)).notes).toEqual([expect.stringContaining('apptainer.options')]);
  });

  it('causes no note that contains a secret', async () => {
    await put('run.sh', 'export GIRDER_WORKER_BROKER=redis://:Hidden1@h/\nfoo Hidden1\n');
    await put('worker.dist.cfg', '[celery]\nbroker=redis://:Hidden1@h/\n');
    const { notes } = await importSite(dir);
    expect(notes.length).toBeGreaterThan(1);
    expect(notes.join()).not.toContain('Hidden1');
    expect(basename(notes[0]?.split(':')[0] ?? '')).toBe('run.sh');
  });
});
