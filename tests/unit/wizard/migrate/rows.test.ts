import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importSite } from '../../../../src/wizard/import/index.js';
import { rowsText } from '../../../../src/wizard/migrate/review.js';
import { migrationRows, type MigrationRow } from '../../../../src/wizard/migrate/rows.js';

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

/** Rows of the files in `dir`, with the imported values as answers, by name. */
async function rows(): Promise<Map<string, MigrationRow>> {
  const { values, answers, settings } = await importSite(dir);
  return new Map(migrationRows(values, answers, settings).map((row) => [row.name, row]));
}

describe('rows of a migration', () => {
  it('tell for each value of run.sh what becomes of it', async () => {
    await put(
      'run.sh',
      [
        'export TMP=tmp LOGS=/shared/logs/ GW_DIRECT_PATHS=false',
        'export GIRDER_WORKER_SLURM_MOUNT_PREFIX=$(cat prefix)',
        "export GIRDER_WORKER_DOCKER_RUN_OPTIONS='{}' PYTHONPATH=/x",
        'GIRDER_WORKER_BACKEND=rpc://me:HushHush@mq/ exec celery -A girder_worker.app.app worker -Q gpu,local -c2',
      ].join('\n'),
    );
    const found = await rows();
    expect(found.get('TMP')).toMatchObject({ fate: 'kept', setting: 'dirs.tmp', after: join(dir, 'tmp') });
    expect(found.get('LOGS')).toMatchObject({ fate: 'kept', after: '/shared/logs' });
    expect(found.get('GW_DIRECT_PATHS')).toMatchObject({ fate: 'kept', after: 'true' });
    expect(found.get('GIRDER_WORKER_SLURM_MOUNT_PREFIX')).toMatchObject({ before: null, fate: 'open' });
    expect(found.get('GIRDER_WORKER_DOCKER_RUN_OPTIONS')).toMatchObject({ fate: 'lost' });
    expect(found.get('GIRDER_WORKER_BACKEND')).toMatchObject({ fate: 'unneeded' });
    expect(found.get('PYTHONPATH')).toMatchObject({ fate: 'unneeded', why: null });
    expect(found.get('--queues')).toMatchObject({ before: 'gpu,local', fate: 'changed', after: 'gpu' });
    expect(found.get('--concurrency')).toMatchObject({ before: '2', fate: 'unneeded' });
  });

  it('carry the queues into the profile, but never Girder’s own', async () => {
    await put('run.sh', 'python -m girder_worker --queues=celery,local,gpu,gpu\n');
    expect((await importSite(dir)).settings).toEqual({ 'broker.queues': ['celery', 'gpu'] });
    await put('run.sh', 'python -m girder_worker -Q local\n');
    expect((await importSite(dir)).settings).toEqual({});
  });

  it('tell which file takes precedence', async () => {
    await put('run.sh', 'export GIRDER_WORKER_BROKER=amqp://a:b@one/\n');
    await put('worker.local.cfg', '[celery]\nbroker=amqp://a:b@two/\n');
    const found = await rows();
    expect(found.get('GIRDER_WORKER_BROKER')).toMatchObject({ fate: 'kept' });
    expect(found.get('celery.broker')).toMatchObject({
      fate: 'changed',
      why: `${join(dir, 'run.sh')} takes precedence`,
    });
  });

  it('carry #SBATCH lines over, also short ones, and name those that no setting has', async () => {
    await put('run.sh', 'export GIRDER_WORKER_SLURM_SUBMIT_SCRIPT=old.slurm\n');
    await put(
      'old.slurm',
      '#!/bin/bash\n#SBATCH -p gpu\n#SBATCH --ntasks=1\n#SBATCH --exclusive\n#SBATCH -t 1:00\n#SBATCH --gres=scratch:1\n',
    );
    const found = await rows();
    expect(found.get('#SBATCH --partition')).toMatchObject({ fate: 'kept', setting: 'slurm.partition' });
    expect(found.get('#SBATCH --time')).toMatchObject({ fate: 'kept', after: '1:00' });
    // init does not ask for it
    expect(found.get('#SBATCH --gres')).toMatchObject({ fate: 'kept', setting: 'slurm.gres' });
    expect((await importSite(dir)).settings).toEqual({ 'slurm.gres': 'scratch:1' });
    expect(found.get('#SBATCH --ntasks')).toMatchObject({ fate: 'unneeded' });
    expect(found.get('#SBATCH --exclusive')).toMatchObject({ fate: 'lost' });
  });

  it('show neither passwords nor control characters', async () => {
    await put(
      'run.sh',
      "export GIRDER_WORKER_BROKER=amqp://me:HushHush1@mq/ MY_API_KEY=HushHush2 REQUESTS_CA_BUNDLE='/x\u001B[2J\u202E'\n",
    );
    await put(
      'docker-compose.yml',
      [
        'services:',
        '  rabbitmq: {image: rabbitmq, ports: ["5672:5672"], environment: {RABBITMQ_DEFAULT_USER: u, RABBITMQ_DEFAULT_PASS: HushHush3}}',
        '  mongodb: {image: mongo, ports: ["27017:27017"], environment: {MONGO_INITDB_ROOT_USERNAME: m, MONGO_INITDB_ROOT_PASSWORD: HushHush4}}',
      ].join('\n'),
    );
    const all = [...(await rows()).values()];
    const shown = JSON.stringify(all) + rowsText(all);
    expect(shown).not.toContain('HushHush');
    expect(all.map(({ before, after }) => `${before}${after}`).join('')).not.toMatch(/\p{Cc}|\p{Cf}/u);
    expect(all.find(({ name }) => name === 'password of RabbitMQ')).toMatchObject({ before: '***' });
  });

  it('stay short for long and hostile files', async () => {
    await put('run.sh', `export LOGS=/${'x'.repeat(4_000)}\n${'A1=$(rm -rf /)\n'.repeat(2_000)}`);
    for (const { before } of (await rows()).values()) expect((before ?? '').length).toBeLessThanOrEqual(200);
  });
});
