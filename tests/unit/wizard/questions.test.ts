import { readFileSync } from 'node:fs';
import { explanations } from '../../../src/wizard/questions/explanations.js';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { GirderError } from '../../../src/girder/api/girder-error.js';
import { validateAnswer, applyDerived } from '../../../src/wizard/flow/answer.js';
import type { Detection } from '../../../src/wizard/detect/detect.js';
import { initPage } from '../../../src/wizard/docs.js';
import type { DirectoryFacts, SiteProbes } from '../../../src/wizard/detect/site-probes.js';
import { environmentName, questions, type Question } from '../../../src/wizard/questions/index.js';
import { secretAnswers, type Draft } from '../../../src/wizard/init-answers.js';
import { brokerText, splitBroker } from '../../../src/wizard/validate/broker.js';
import { cluster, detection, goodDirectory, openSite } from './support.js';

const question = (key: string): Question => questions.find((each) => each.key === key) ?? expect.fail(key);

interface Around {
  draft?: Draft;
  probes?: Partial<SiteProbes>;
  detected?: Partial<Detection>;
  accepted?: string[];
}

async function resultOf(key: string, text: string, around: Around = {}) {
  const { draft = {}, probes = {}, detected = {}, accepted = [] } = around;
  return validateAnswer(question(key), text, {
    draft,
    probes: openSite(probes),
    detected: detection(detected),
    accepted: new Set(accepted),
  });
}

const unpadded = (page: string): string => page.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');

const facts = (over: Partial<DirectoryFacts>): Partial<SiteProbes> => ({
  directories: {
    inspect: () => Promise.resolve({ ...goodDirectory, ...over }),
    create: () => Promise.resolve(),
  },
});

const openAt = (address: string | null): Partial<SiteProbes> => ({
  broker: {
    check: () => Promise.resolve({ version: '4.1' }),
    untrusted: () => Promise.resolve(null),
    openAddress: () => Promise.resolve(address),
  },
});

const failing = (problem: 'unreachable' | 'not-girder'): Partial<SiteProbes> => ({
  girder: {
    ...openSite().girder,
    version: () => Promise.reject(new GirderError('No.', { kind: problem })),
  },
});

const asksForAuthority = (draft: Draft) =>
  question('broker.caFile').when?.(draft, detection()) === true && draft.broker?.caFile === undefined;

describe('all questions', () => {
  it('have unique keys, flags and environment variables, and no flag for a secret', () => {
    for (const names of [
      questions.map(({ key }) => key),
      questions.flatMap(({ flag }) => flag ?? []),
      questions.map(environmentName),
    ]) {
      expect(new Set(names).size).toBe(names.length);
    }
    const secrets = questions.filter(({ kind }) => kind === 'secret');
    expect(secrets.filter(({ flag }) => flag !== undefined)).toEqual([]);
    expect(secrets.map(({ key }) => key).sort()).toEqual([...secretAnswers].sort());
  });

  it('have a reason, and an example unless choices are listed', () => {
    expect(Object.keys(explanations).toSorted()).toEqual(questions.map(({ key }) => key).toSorted());
    const without = questions.filter(
      ({ key, kind }) => !['choice', 'secret'].includes(kind) && explanations[key]?.example === undefined,
    );
    expect(without.map(({ key }) => key)).toEqual([]);
  });

  it('are documented in docs/init.md (to update it: npm run docs)', () => {
    const committed = readFileSync(new URL('../../../docs/init.md', import.meta.url), 'utf8');
    expect(unpadded(committed)).toBe(unpadded(initPage()));
  });
});

describe('directories', () => {
  it.each([
    ['relative', 'not an absolute path'],
    ['/a/../b', 'Write /b'],
    ['/', 'root directory'],
    ['/a b', 'spaces'],
    ['/a:b', 'Paths that contain :'],
    ['/a,b', 'Paths that contain ,'],
    ['/a%u', 'Paths that contain %'],
    ['/a$(id)', 'Paths that contain $'],
    ['/a\u0007', 'spaces'],
  ])('rejects %j', async (path, part) => {
    const { result } = await resultOf('dirs.tmp', path);
    expect(result.kind).toBe('problem');
    expect(JSON.stringify(result)).toContain(part);
  });

  it.each<[string, Partial<DirectoryFacts>, string]>([
    ['a file', { state: { kind: 'other' } }, 'is not a directory'],
    ['a closed one', { state: { kind: 'closed', why: 'EACCES' } }, 'EACCES'],
    [
      'one of others',
      { state: { kind: 'directory', writable: false, worldWritable: false } },
      'cannot write',
    ],
    [
      'an open one',
      { state: { kind: 'directory', writable: true, worldWritable: true } },
      'Everyone can write',
    ],
    [
      'one that cannot be created',
      { state: { kind: 'missing', above: '/x', why: '/x is not yours' } },
      'cannot be created',
    ],
  ])('rejects %s', async (_what, over, part) => {
    const { result } = await resultOf('dirs.tmp', '/shared/tmp', { probes: facts(over) });
    expect(result).toMatchObject({ kind: 'problem', problem: expect.stringContaining(part) as string });
  });

  it('warns of a local file system once, then offers to create the directory, which is implied below the base', async () => {
    const probes = facts({
      state: { kind: 'missing', above: '/', why: null },
      fileSystem: { type: 'ext4', mountPoint: '/', reach: 'local' },
    });
    const first = await resultOf('dirs.tmp', '/data/tmp', { probes });
    expect(first.result).toMatchObject({ kind: 'warning', id: 'local:/' });
    const second = await resultOf('dirs.tmp', '/data/tmp', { probes, accepted: ['local:/'] });
    expect(second.result).toMatchObject({ kind: 'confirmation', implied: false });
    const third = await resultOf('dirs.tmp', '/data/tmp', {
      probes,
      accepted: ['local:/'],
      draft: { base: '/data' },
    });
    expect(third.result).toMatchObject({ kind: 'confirmation', implied: true });
  });

  it('warns if there is little free space', async () => {
    const { result } = await resultOf('dirs.tmp', '/shared/tmp', { probes: facts({ freeBytes: 5e9 }) });
    expect(result).toMatchObject({ kind: 'warning', warning: expect.stringContaining('5 GB') as string });
  });
});

describe('RabbitMQ', () => {
  it.each<[string, Record<string, unknown>]>([
    ['rabbit', { 'broker.host': 'rabbit', 'broker.port': 5672, 'broker.vhost': '/', 'broker.tls': 'no' }],
    ['rabbit:5673/dsa', { 'broker.host': 'rabbit', 'broker.port': 5673, 'broker.vhost': 'dsa' }],
    ['amqps://u@rabbit', { 'broker.port': 5671, 'broker.tls': 'yes', 'broker.user': 'u' }],
    ['amqp://[::1]:1/%2Fx', { 'broker.host': '::1', 'broker.port': 1, 'broker.vhost': '/x' }],
  ])('%s is split into its parts', (text, parts) => {
    expect(splitBroker(text)).toMatchObject(parts);
  });

  it.each([
    'rabbit',
    'rabbit:5673',
    'rabbit:5673/dsa',
    'amqps://rabbit',
    'amqps://rabbit:1/a%2Fb',
    '[::1]:9',
  ])('%s is proposed as it was typed', async (text) => {
    const { draft } = await resultOf('broker.host', text);
    expect(brokerText(draft.broker ?? {})).toBe(text);
  });

  it('is checked by logging in, and a rejected login has its reason', async () => {
    const seen: string[] = [];
    const check = (url: string) => {
      seen.push(url);
      return Promise.reject(
        new DsaSlurmError('broker', 'RabbitMQ refused the user.', { next: 'Correct it.' }),
      );
    };
    const { result } = await resultOf('broker.password', 'p/w', {
      draft: { broker: { host: 'h', port: 5673, user: 'u', vhost: 'v' } },
      probes: { broker: { ...openSite().broker, check } },
    });
    expect(seen).toEqual(['amqp://u:p%2Fw@h:5673/v']);
    expect(result).toEqual({ kind: 'problem', problem: 'RabbitMQ refused the user.', fix: 'Correct it.' });
  });

  it('warns of guest:guest only if other hosts can reach it', async () => {
    const draft: Draft = { broker: { host: 'localhost', port: 5672, user: 'guest' } };
    const open = await resultOf('broker.password', 'guest', { draft, probes: openAt('10.0.0.1') });
    expect(open.result).toMatchObject({ kind: 'warning', offer: 'new-credentials' });
    const closed = await resultOf('broker.password', 'guest', { draft, probes: openAt(null) });
    expect(closed.result).toEqual({ kind: 'ok', note: 'RabbitMQ 4.1' });
  });

  it('causes only a warning while it is not running', async () => {
    const { result } = await resultOf('broker.host', 'rabbit', {
      probes: { listens: () => Promise.resolve(false) },
    });
    expect(result).toMatchObject({ kind: 'warning', id: 'broker:rabbit:5672' });
  });
});

describe('Slurm', () => {
  it('accepts only existing partitions', async () => {
    const detected = { slurm: cluster };
    expect((await resultOf('slurm.partition', 'main,long', { detected })).result.kind).toBe('ok');
    expect((await resultOf('slurm.partition', 'man', { detected })).result).toMatchObject({
      problem: 'There is no partition man.',
      fix: 'Existing partitions: long, main, old.',
    });
    expect((await resultOf('slurm.partition', 'old', { detected })).result.kind).toBe('warning');
    expect((await resultOf('slurm.partition', '-', { detected })).value).toBeNull();
  });

  it('checks the account together with the previous answers', async () => {
    const asked: unknown[] = [];
    const { result } = await resultOf('slurm.account', 'lab', {
      draft: { slurm: { partition: 'main' } },
      detected: { slurm: cluster },
      probes: {
        slurm: {
          test: (wanted) => {
            asked.push(wanted);
            return Promise.resolve('Invalid account');
          },
        },
      },
    });
    expect(asked).toEqual([{ partition: 'main', account: 'lab' }]);
    expect(result).toMatchObject({
      kind: 'problem',
      problem: 'Slurm would reject such a job: Invalid account.',
    });
  });

  it('rejects values that are not plain words', async () => {
    expect((await resultOf('slurm.time', '1:0:0 --wrap=x')).result.kind).toBe('problem');
    expect((await resultOf('apptainer.command', 'apptainer; id')).result.kind).toBe('problem');
  });
});

describe('memory', () => {
  const slurm = { detected: { slurm: cluster } };

  it('without a unit is asked about, and then checked with sbatch', async () => {
    const first = await resultOf('slurm.mem', '2', slurm);
    expect(first.result).toMatchObject({
      kind: 'warning',
      warning: 'Without a unit, Slurm takes 2 as 2 megabytes.',
      fix: 'For gigabytes, answer 2G.',
    });
    const probes = { slurm: { test: () => Promise.resolve('too little memory') } };
    const again = await resultOf('slurm.mem', '2', { ...slurm, probes, accepted: ['memory:2'] });
    expect(again.result.kind).toBe('problem');
    expect((await resultOf('slurm.mem', '2G', slurm)).result.kind).toBe('ok');
  });
});

describe('Girder and MongoDB', () => {
  it('derives the version of Girder', async () => {
    const { result } = await resultOf('girder.apiUrl', 'http://girder:8080/api/v1');
    expect(result).toEqual({ kind: 'ok', note: 'Girder 5.0.1', derived: { 'girder.major': '5' } });
  });

  it.each([
    'girder',
    'http://girder/dsa',
    'http://girder/api/v1?x=1',
    'http://u@girder/api/v1',
    'ftp://g/api/v1',
  ])('rejects %s as the address of the API', async (text) => {
    expect((await resultOf('girder.apiUrl', text)).result.kind).toBe('problem');
  });

  it.each(['http://girder', 'http://girder/', 'https://girder:8443'])(
    'completes %s to the address of the API',
    async (text) => {
      const { draft, result } = await resultOf('girder.apiUrl', text);
      expect(result.kind).toBe('ok');
      expect(draft.girder?.apiUrl).toBe(`${new URL(text).origin}/api/v1`);
    },
  );

  it('Girder may be down, but nothing else may answer at its address', async () => {
    const url = 'http://girder/api/v1';
    expect((await resultOf('girder.apiUrl', url, { probes: failing('unreachable') })).result.kind).toBe(
      'warning',
    );
    expect((await resultOf('girder.apiUrl', url, { probes: failing('not-girder') })).result.kind).toBe(
      'problem',
    );
  });

  it('asks for a CA certificate if Girder uses https, and checks it', async () => {
    const url = 'https://girder/api/v1';
    const right = '/etc/ca.pem';
    const untrusted = new GirderError('No.', {
      kind: 'unreachable',
      cause: Object.assign(new Error('x'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }),
    });
    const version = async (_url: string, caFile: string | null) =>
      caFile === right ? { version: '3.2', major: 3 as const } : Promise.reject(untrusted);
    const probes: Partial<SiteProbes> = { girder: { ...openSite().girder, version } };
    expect((await resultOf('girder.apiUrl', url, { probes })).result.kind).toBe('ok');
    const message = async (text: string) =>
      (await resultOf('girder.caFile', text, { probes, draft: { girder: { apiUrl: url } } })).result;
    expect(await message(right)).toMatchObject({ kind: 'ok', note: 'Girder 3.2' });
    expect((await message('-')).kind).toBe('warning');
    expect((await message('/etc/other.pem')).kind).toBe('problem');
    expect((await message('ca.pem')).kind).toBe('problem');
    const [question] = questions.filter(({ key }) => key === 'girder.caFile');
    expect(question?.when?.({ girder: { apiUrl: url } }, detection())).toBe(true);
    expect(question?.when?.({ girder: { apiUrl: 'http://girder/api/v1' } }, detection())).toBe(false);
  });

  it('asks for the CA certificate of RabbitMQ only if its certificate is not trusted', async () => {
    const right = '/etc/ca.pem';
    const untrusted = async (_url: string, caFile: string | null) =>
      caFile === right ? null : 'The TLS certificate of mq:5671 is not accepted.';
    const closed: Partial<SiteProbes> = { broker: { ...openSite().broker, untrusted } };
    const draftOf = async (probes: Partial<SiteProbes>) => {
      const validated = await resultOf('broker.host', 'amqps://mq', { probes });
      return applyDerived(validated, new Set());
    };
    expect(asksForAuthority(await draftOf(closed))).toBe(true);
    expect(asksForAuthority(await draftOf({}))).toBe(false);
    expect(asksForAuthority((await resultOf('broker.host', 'mq')).draft)).toBe(false);
    const draft = await draftOf(closed);
    const message = async (text: string) =>
      (await resultOf('broker.caFile', text, { probes: closed, draft })).result;
    expect(await message(right)).toMatchObject({ kind: 'ok' });
    expect(await message('-')).toMatchObject({ kind: 'warning' });
    expect(await message('/etc/other.pem')).toMatchObject({ kind: 'problem' });
    expect(await message('ca.pem')).toMatchObject({ kind: 'problem' });
  });

  it('warns of a MongoDB that requires no login', async () => {
    const probes: Partial<SiteProbes> = {
      mongo: { ping: () => Promise.resolve({ version: '7', open: true, hasGirder: true }) },
    };
    const { result } = await resultOf('mongo.uri', 'mongodb://db.example/girder', { probes });
    expect(result).toMatchObject({ kind: 'warning', id: 'mongo:db.example' });
  });
});
