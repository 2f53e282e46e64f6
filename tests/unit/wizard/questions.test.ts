import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { GirderError } from '../../../src/girder/api/girder-error.js';
import { judge, withLearned } from '../../../src/wizard/flow/answer.js';
import type { Detection } from '../../../src/wizard/detect/detect.js';
import { initPage } from '../../../src/wizard/docs.js';
import type { DirectoryFacts, Doors } from '../../../src/wizard/detect/site-probes.js';
import { environmentName, questions, type Question } from '../../../src/wizard/questions/index.js';
import { secretAnswers, type Draft } from '../../../src/wizard/init-answers.js';
import { brokerText, spreadBroker } from '../../../src/wizard/validate/broker.js';
import { cluster, detection, goodDirectory, openSite } from './support.js';

const question = (key: string): Question => questions.find((each) => each.key === key) ?? expect.fail(key);

interface Around {
  draft?: Draft;
  doors?: Partial<Doors>;
  detected?: Partial<Detection>;
  accepted?: string[];
}

async function verdictOf(key: string, text: string, around: Around = {}) {
  const { draft = {}, doors = {}, detected = {}, accepted = [] } = around;
  return judge(question(key), text, {
    draft,
    doors: openSite(doors),
    detected: detection(detected),
    accepted: new Set(accepted),
  });
}

const unpadded = (page: string): string => page.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');

const facts = (over: Partial<DirectoryFacts>): Partial<Doors> => ({
  directories: {
    look: () => Promise.resolve({ ...goodDirectory, ...over }),
    make: () => Promise.resolve(),
  },
});

const openAt = (address: string | null): Partial<Doors> => ({
  broker: {
    check: () => Promise.resolve({ version: '4.1' }),
    untrusted: () => Promise.resolve(null),
    openAddress: () => Promise.resolve(address),
  },
});

const failing = (trouble: 'unreachable' | 'not-girder'): Partial<Doors> => ({
  girder: {
    ...openSite().girder,
    version: () => Promise.reject(new GirderError('No.', { kind: trouble })),
  },
});

const asksForAuthority = (draft: Draft) =>
  question('broker.caFile').when?.(draft, detection()) === true && draft.broker?.caFile === undefined;

describe('the table', () => {
  it('has each key, flag and environment name once, and no flag for a secret', () => {
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

  it('is what docs/init.md says (else: npm run build && node scripts/generate-docs.mjs)', () => {
    const committed = readFileSync(new URL('../../../docs/init.md', import.meta.url), 'utf8');
    expect(unpadded(committed)).toBe(unpadded(initPage()));
  });
});

describe('directories', () => {
  it.each([
    ['relative', 'not an absolute path'],
    ['/a/../b', 'Write /b'],
    ['/', 'root directory'],
    ['/a b', 'blanks'],
    ['/a:b', 'Paths with :'],
    ['/a,b', 'Paths with ,'],
    ['/a%u', 'Paths with %'],
    ['/a$(id)', 'Paths with $'],
    ['/a\u0007', 'blanks'],
  ])('%j cannot be used', async (path, part) => {
    const { verdict } = await verdictOf('dirs.tmp', path);
    expect(verdict.kind).toBe('problem');
    expect(JSON.stringify(verdict)).toContain(part);
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
      'Everybody can write',
    ],
    [
      'one that cannot be made',
      { state: { kind: 'missing', above: '/x', why: '/x is not yours' } },
      'cannot be made',
    ],
  ])('%s is refused', async (_what, over, part) => {
    const { verdict } = await verdictOf('dirs.tmp', '/shared/tmp', { doors: facts(over) });
    expect(verdict).toMatchObject({ kind: 'problem', problem: expect.stringContaining(part) as string });
  });

  it('doubts a local file system once, then offers to make it, which is implied below the base', async () => {
    const doors = facts({
      state: { kind: 'missing', above: '/', why: null },
      fileSystem: { type: 'ext4', mountPoint: '/', reach: 'local' },
    });
    const first = await verdictOf('dirs.tmp', '/data/tmp', { doors });
    expect(first.verdict).toMatchObject({ kind: 'doubt', id: 'local:/' });
    const second = await verdictOf('dirs.tmp', '/data/tmp', { doors, accepted: ['local:/'] });
    expect(second.verdict).toMatchObject({ kind: 'consent', implied: false });
    const third = await verdictOf('dirs.tmp', '/data/tmp', {
      doors,
      accepted: ['local:/'],
      draft: { base: '/data' },
    });
    expect(third.verdict).toMatchObject({ kind: 'consent', implied: true });
  });

  it('tells where there is little room', async () => {
    const { verdict } = await verdictOf('dirs.tmp', '/shared/tmp', { doors: facts({ freeBytes: 5e9 }) });
    expect(verdict).toMatchObject({ kind: 'doubt', doubt: expect.stringContaining('5 GB') as string });
  });
});

describe('RabbitMQ', () => {
  it.each<[string, Record<string, unknown>]>([
    ['rabbit', { 'broker.host': 'rabbit', 'broker.port': 5672, 'broker.vhost': '/', 'broker.tls': 'no' }],
    ['rabbit:5673/dsa', { 'broker.host': 'rabbit', 'broker.port': 5673, 'broker.vhost': 'dsa' }],
    ['amqps://u@rabbit', { 'broker.port': 5671, 'broker.tls': 'yes', 'broker.user': 'u' }],
    ['amqp://[::1]:1/%2Fx', { 'broker.host': '::1', 'broker.port': 1, 'broker.vhost': '/x' }],
  ])('%s is taken apart', (text, parts) => {
    expect(spreadBroker(text)).toMatchObject(parts);
  });

  it.each([
    'rabbit',
    'rabbit:5673',
    'rabbit:5673/dsa',
    'amqps://rabbit',
    'amqps://rabbit:1/a%2Fb',
    '[::1]:9',
  ])('%s is proposed as it was typed', async (text) => {
    const { draft } = await verdictOf('broker.host', text);
    expect(brokerText(draft.broker ?? {})).toBe(text);
  });

  it('is logged in to with everything that is known, and a refusal has its reason', async () => {
    const seen: string[] = [];
    const check = (url: string) => {
      seen.push(url);
      return Promise.reject(
        new DsaSlurmError('broker', 'RabbitMQ refused the user.', { next: 'Correct it.' }),
      );
    };
    const { verdict } = await verdictOf('broker.password', 'p/w', {
      draft: { broker: { host: 'h', port: 5673, user: 'u', vhost: 'v' } },
      doors: { broker: { ...openSite().broker, check } },
    });
    expect(seen).toEqual(['amqp://u:p%2Fw@h:5673/v']);
    expect(verdict).toEqual({ kind: 'problem', problem: 'RabbitMQ refused the user.', fix: 'Correct it.' });
  });

  it('calls guest:guest out where others can reach it, and not where they cannot', async () => {
    const draft: Draft = { broker: { host: 'localhost', port: 5672, user: 'guest' } };
    const open = await verdictOf('broker.password', 'guest', { draft, doors: openAt('10.0.0.1') });
    expect(open.verdict).toMatchObject({ kind: 'doubt', offer: 'new-credentials' });
    const closed = await verdictOf('broker.password', 'guest', { draft, doors: openAt(null) });
    expect(closed.verdict).toEqual({ kind: 'ok', note: 'RabbitMQ 4.1' });
  });

  it('may be away for now', async () => {
    const { verdict } = await verdictOf('broker.host', 'rabbit', {
      doors: { listens: () => Promise.resolve(false) },
    });
    expect(verdict).toMatchObject({ kind: 'doubt', id: 'broker:rabbit:5672' });
  });
});

describe('Slurm', () => {
  it('knows its partitions', async () => {
    const detected = { slurm: cluster };
    expect((await verdictOf('slurm.partition', 'main,long', { detected })).verdict.kind).toBe('ok');
    expect((await verdictOf('slurm.partition', 'man', { detected })).verdict).toMatchObject({
      problem: 'There is no partition man.',
      fix: 'There are: long, main, old.',
    });
    expect((await verdictOf('slurm.partition', 'old', { detected })).verdict.kind).toBe('doubt');
    expect((await verdictOf('slurm.partition', '-', { detected })).value).toBeNull();
  });

  it('is asked about the account with everything before it', async () => {
    const asked: unknown[] = [];
    const { verdict } = await verdictOf('slurm.account', 'lab', {
      draft: { slurm: { partition: 'main' } },
      detected: { slurm: cluster },
      doors: {
        slurm: {
          test: (wanted) => {
            asked.push(wanted);
            return Promise.resolve('Invalid account');
          },
        },
      },
    });
    expect(asked).toEqual([{ partition: 'main', account: 'lab' }]);
    expect(verdict).toMatchObject({
      kind: 'problem',
      problem: 'Slurm would refuse such a job: Invalid account.',
    });
  });

  it('takes no words that could be something else than a value', async () => {
    expect((await verdictOf('slurm.time', '1:0:0 --wrap=x')).verdict.kind).toBe('problem');
    expect((await verdictOf('apptainer.command', 'apptainer; id')).verdict.kind).toBe('problem');
  });
});

describe('Girder and MongoDB', () => {
  it('learns the version of Girder', async () => {
    const { verdict } = await verdictOf('girder.apiUrl', 'http://girder:8080/api/v1');
    expect(verdict).toEqual({ kind: 'ok', note: 'Girder 5.0.1', learned: { 'girder.major': '5' } });
  });

  it.each([
    'girder',
    'http://girder/',
    'http://girder/api/v1?x=1',
    'http://u@girder/api/v1',
    'ftp://g/api/v1',
  ])('%s is no address of its API', async (text) => {
    expect((await verdictOf('girder.apiUrl', text)).verdict.kind).toBe('problem');
  });

  it('may be away for now, but not be something else', async () => {
    const url = 'http://girder/api/v1';
    expect((await verdictOf('girder.apiUrl', url, { doors: failing('unreachable') })).verdict.kind).toBe(
      'doubt',
    );
    expect((await verdictOf('girder.apiUrl', url, { doors: failing('not-girder') })).verdict.kind).toBe(
      'problem',
    );
  });

  it('asks for a private authority where Girder has a certificate, and says whether it is the right one', async () => {
    const url = 'https://girder/api/v1';
    const right = '/etc/ca.pem';
    const untrusted = new GirderError('No.', {
      kind: 'unreachable',
      cause: Object.assign(new Error('x'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }),
    });
    const version = async (_url: string, caFile: string | null) =>
      caFile === right ? { version: '3.2', major: 3 as const } : Promise.reject(untrusted);
    const doors: Partial<Doors> = { girder: { ...openSite().girder, version } };
    expect((await verdictOf('girder.apiUrl', url, { doors })).verdict.kind).toBe('ok');
    const said = async (text: string) =>
      (await verdictOf('girder.caFile', text, { doors, draft: { girder: { apiUrl: url } } })).verdict;
    expect(await said(right)).toMatchObject({ kind: 'ok', note: 'Girder 3.2' });
    expect((await said('-')).kind).toBe('doubt');
    expect((await said('/etc/other.pem')).kind).toBe('problem');
    expect((await said('ca.pem')).kind).toBe('problem');
    const [question] = questions.filter(({ key }) => key === 'girder.caFile');
    expect(question?.when?.({ girder: { apiUrl: url } }, detection())).toBe(true);
    expect(question?.when?.({ girder: { apiUrl: 'http://girder/api/v1' } }, detection())).toBe(false);
  });

  it('asks for the authority behind RabbitMQ only where no public one vouches for it', async () => {
    const right = '/etc/ca.pem';
    const untrusted = async (_url: string, caFile: string | null) =>
      caFile === right ? null : 'The TLS certificate of mq:5671 is not accepted.';
    const closed: Partial<Doors> = { broker: { ...openSite().broker, untrusted } };
    const draftOf = async (doors: Partial<Doors>) => {
      const judged = await verdictOf('broker.host', 'amqps://mq', { doors });
      return withLearned(judged, new Set());
    };
    expect(asksForAuthority(await draftOf(closed))).toBe(true);
    expect(asksForAuthority(await draftOf({}))).toBe(false);
    expect(asksForAuthority((await verdictOf('broker.host', 'mq')).draft)).toBe(false);
    const draft = await draftOf(closed);
    const said = async (text: string) =>
      (await verdictOf('broker.caFile', text, { doors: closed, draft })).verdict;
    expect(await said(right)).toMatchObject({ kind: 'ok' });
    expect(await said('-')).toMatchObject({ kind: 'doubt' });
    expect(await said('/etc/other.pem')).toMatchObject({ kind: 'problem' });
    expect(await said('ca.pem')).toMatchObject({ kind: 'problem' });
  });

  it('calls out a MongoDB that lets anybody in', async () => {
    const doors: Partial<Doors> = {
      mongo: { ping: () => Promise.resolve({ version: '7', open: true, hasGirder: true }) },
    };
    const { verdict } = await verdictOf('mongo.uri', 'mongodb://db.example/girder', { doors });
    expect(verdict).toMatchObject({ kind: 'doubt', id: 'mongo:db.example' });
  });
});
