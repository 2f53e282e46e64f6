import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createLog } from '../../../../src/base/log.js';
import { makeDirectory } from '../../../../src/base/files/make-directory.js';
import type { JobsView, LogTail, RunView } from '../../../../src/worker/views/handle.js';
import { readAddress, writeAddress, type Address } from '../../../../src/worker/socket/address.js';
import { connectWorker, findWorker } from '../../../../src/worker/socket/connect.js';
import type { RemoteWorker } from '../../../../src/worker/socket/remote-worker.js';
import { listenForClients } from '../../../../src/worker/socket/listen.js';
import { limits, protocol } from '../../../../src/worker/socket/protocol.js';
import { programVersion } from '../../../../src/base/version.js';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../../support/fake-worker-handle.js';

const log = createLog({ level: 'silent', destination: 2 });
let root: string;
let state: string;
let worker: FakeWorker;
let stops: (() => void | Promise<void>)[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dsa-socket-'));
  state = join(root, 'state');
  await makeDirectory(state, 0o700);
  worker = createFakeWorker();
  stops = [];
});

afterEach(async () => {
  for (const stop of stops.toReversed()) await stop();
  await rm(root, { recursive: true, force: true });
});

async function listen(handle: FakeWorker = worker, directory = state): Promise<() => Promise<void>> {
  const stop = await listenForClients(directory, handle, log);
  stops.push(stop);
  return stop;
}

async function connect(readOnly = false, directory = state): Promise<RemoteWorker> {
  const attached = await connectWorker({ stateDirectory: directory, readOnly });
  stops.push(() => attached.close());
  return attached;
}

async function address(directory = state): Promise<Address> {
  return (await readAddress(directory)) ?? expect.fail('there is no address');
}

/** A client of nobody's making. */
async function rawClient(): Promise<{
  socket: Socket;
  messages: () => unknown[];
  send: (line: unknown) => void;
}> {
  const socket = createConnection((await address()).path);
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  socket.on('error', () => undefined);
  stops.push(() => void socket.destroy());
  return {
    socket,
    messages: () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as unknown),
    send: (line) => void socket.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`),
  };
}

const helloOf = async (over: object = {}): Promise<object> => ({
  hello: 'dsa-slurm',
  protocol,
  version: programVersion(),
  cookie: (await address()).cookie,
  readOnly: false,
  ...over,
});

describe('a worker at the other end of a socket', () => {
  test('shows what it shows, and says what changes', async () => {
    worker.show({ runs: [fakeRun({ id: 'a' })], jobs: { rows: [fakeJob({ id: '1' })] } });
    await listen();
    const attached = await connect();
    const before = attached.snapshot();
    expect(before).toMatchObject({ ...worker.snapshot(), link: { kind: 'socket', pid: process.pid } });
    const told = vi.fn();
    attached.subscribe(told);
    worker.show({ runs: [fakeRun({ id: 'a' }), fakeRun({ id: 'b', title: 'é\u001B漢' })] });
    await vi.waitFor(() => expect(attached.snapshot().runs).toEqual(worker.snapshot().runs));
    expect(told).toHaveBeenCalled();
    expect(attached.snapshot().jobs).toBe(before.jobs);
    expect(attached.snapshot().runs[0]).toBe(before.runs[0]);
  });

  test('performs actions and returns their messages', async () => {
    await listen();
    const attached = await connect();
    worker.answerWith({ ok: false, message: 'scancel: error: no' });
    expect(await attached.act({ kind: 'cancel', runs: ['r'], jobs: ['7'] })).toEqual({
      ok: false,
      message: 'scancel: error: no',
    });
    worker.answerWith(new Error('a defect'));
    expect(await attached.act({ kind: 'hold', runs: [], jobs: ['7'] })).toEqual({
      ok: false,
      message: 'a defect',
    });
    worker.answerWith({ ok: true, message: '' });
    expect(await attached.pause()).toMatchObject({ ok: true });
    expect(await attached.resume()).toMatchObject({ ok: true });
    expect(await attached.drain()).toMatchObject({ ok: true });
    expect(worker.commands).toEqual(['cancel r 7', 'hold 7', 'pause', 'resume', 'drain']);
    await vi.waitFor(() => expect(attached.snapshot().health.intake).toBe('draining'));
    expect(await attached.runDetail('r')).toEqual({ ok: false, message: 'No such run: r.' });
    expect(await attached.jobDetail('7')).toMatchObject({ jobId: '7', problem: 'unknown' });
    worker.details.scripts.set('7', { jobId: '7', lines: ['#!/bin/sh'], omitted: 0, at: 1, problem: null });
    expect(await attached.jobScript('7')).toMatchObject({ lines: ['#!/bin/sh'], at: 1 });
    worker.answerWith({ ok: false, message: 'Invalid user id' });
    expect(await attached.changeNodes({ kind: 'drain', reason: 'disk' }, ['n1', 'n2'])).toEqual({
      ok: false,
      message: 'Invalid user id',
    });
    expect(worker.commands.at(-1)).toBe('drain disk n1 n2');
    expect(await attached.imageDetail('a.sif')).toEqual({ ok: false, message: 'There is no such file.' });
  });

  test('an action that names twenty thousand runs comes through', async () => {
    await listen();
    const attached = await connect();
    const runs = Array.from({ length: 20_000 }, (_, index) => `00000000-0000-4000-8000-${index}`);
    worker.answerWith({ ok: true, message: 'done' });
    expect(await attached.act({ kind: 'cancel', runs, jobs: [] })).toEqual({ ok: true, message: 'done' });
    expect(worker.commands[0]).toBe(['cancel', ...runs].join(' '));
  });

  test('is asked for a view once, as long as somebody looks', async () => {
    await listen();
    const attached = await connect();
    const view: JobsView = { rows: [fakeJob({ id: '1' }), fakeJob({ id: '2' })], at: 1, problem: null };
    worker.showWatched('allJobs', view);
    const seen: JobsView[] = [];
    const stop = attached.watch('allJobs', (latest) => seen.push(latest));
    await vi.waitFor(() => expect(seen).toEqual([view]));
    const late: JobsView[] = [];
    const stopLate = attached.watch('allJobs', (latest) => late.push(latest));
    expect(late).toEqual([view]);
    worker.showWatched('allJobs', { ...view, at: 2 });
    await vi.waitFor(() => expect(seen.at(-1)?.at).toBe(2));
    expect(seen[1]?.rows).toBe(seen[0]?.rows);
    stop();
    expect(worker.watching()).toEqual(['allJobs']);
    stopLate();
    await vi.waitFor(() => expect(worker.watching()).toEqual([]));
  });

  test('sends the log that is followed', async () => {
    await listen();
    const attached = await connect();
    const seen: LogTail[] = [];
    const stop = attached.followLog('r', (tail) => seen.push(tail));
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    worker.write('r', { lines: ['one', 'two'], lost: 0 });
    await vi.waitFor(() => expect(seen.at(-1)?.lines).toEqual(['one', 'two']));
    worker.write('r', { lines: ['two', 'three'], lost: 1 });
    await vi.waitFor(() => expect(seen.at(-1)).toEqual({ lines: ['two', 'three'], lost: 1 }));
    stop();
    await vi.waitFor(() => expect(worker.following()).toEqual([]));
  });

  test('two consoles see the same', async () => {
    await listen();
    const [one, other] = [await connect(), await connect(true)];
    await one.pause();
    await vi.waitFor(() => expect(other.snapshot().health.intake).toBe('paused'));
    expect({ ...other.snapshot(), link: null }).toEqual({ ...one.snapshot(), link: null });
  });

  test('a console that has gone leaves nothing behind', async () => {
    await listen();
    const attached = await connect();
    attached.followLog('r', () => undefined);
    attached.watch('worker', () => undefined);
    await vi.waitFor(() => expect(worker.following()).toEqual(['r']));
    expect(worker.listeners()).toBe(1);
    attached.close();
    await vi.waitFor(() =>
      expect([worker.listeners(), worker.following(), worker.watching()]).toEqual([0, [], []]),
    );
  });
});

describe('a worker that goes and comes', () => {
  test('leaves its last snapshot with the reason, and is found again with everything that was followed', async () => {
    const stop = await listen();
    const attached = await connect();
    worker.showWatched('allJobs', { rows: [], at: 1, problem: null });
    const views: JobsView[] = [];
    attached.watch('allJobs', (view) => views.push(view));
    const tails: LogTail[] = [];
    attached.followLog('r', (tail) => tails.push(tail));
    await vi.waitFor(() => expect([views.length, tails.length]).toEqual([1, 1]));

    await stop();
    await vi.waitFor(() =>
      expect(attached.snapshot().link).toMatchObject({ problem: expect.stringContaining('has stopped') }),
    );
    expect(views.at(-1)).toEqual({ rows: [], at: 1, problem: expect.stringContaining('has stopped') });
    expect(await attached.act({ kind: 'cancel', runs: ['r'], jobs: [] })).toEqual({
      ok: false,
      message: expect.stringContaining('is not connected'),
    });
    expect(await attached.runDetail('r')).toMatchObject({ ok: false });

    const next = createFakeWorker();
    next.show({ profile: 'next' });
    next.showWatched('allJobs', { rows: [], at: 5, problem: null });
    next.write('r', { lines: ['again'], lost: 0 });
    await listen(next);
    await vi.waitFor(() => expect(attached.snapshot().profile).toBe('next'), 10_000);
    expect(attached.snapshot().link).toMatchObject({ problem: null });
    await vi.waitFor(() => expect(views.at(-1)?.at).toBe(5));
    await vi.waitFor(() => expect(tails.at(-1)?.lines).toEqual(['again']));
    expect(worker.commands).toEqual([]);
  });

  test('what was asked when it went is answered with that', async () => {
    await listen();
    const attached = await connect();
    vi.spyOn(worker, 'act').mockReturnValue(new Promise(() => undefined));
    const asked = attached.act({ kind: 'cancel', runs: ['r'], jobs: [] });
    await vi.waitFor(() => expect(worker.act).toHaveBeenCalled());
    await stops[0]?.();
    expect(await asked).toEqual({ ok: false, message: expect.stringContaining('may have done it') });
  });
});

describe('read-only', () => {
  test('the worker refuses whatever acts, and goes on showing', async () => {
    await listen();
    const attached = await connect(true);
    const refused = { ok: false, message: expect.stringContaining('read-only') };
    expect(await attached.act({ kind: 'cancel', runs: ['r'], jobs: [] })).toEqual(refused);
    expect(await attached.pause()).toEqual(refused);
    expect(await attached.resume()).toEqual(refused);
    expect(await attached.drain()).toEqual(refused);
    expect(worker.commands).toEqual([]);
    worker.show({ profile: 'x' });
    await vi.waitFor(() => expect(attached.snapshot().profile).toBe('x'));
  });

  test('a connection cannot be talked out of it', async () => {
    await listen();
    const { messages, send } = await rawClient();
    send(await helloOf({ readOnly: true }));
    send(await helloOf({ readOnly: false }));
    send({ ask: 'intake', id: 1, wish: 'pause', readOnly: false });
    send({ ask: 'intake', id: 2, wish: 'pause' });
    await vi.waitFor(() =>
      expect(messages()).toContainEqual({
        say: 'answer',
        id: 2,
        value: { ok: false, message: expect.stringContaining('read-only') },
      }),
    );
    expect(worker.commands).toEqual([]);
  });

  test('it holds after a restart of the worker', async () => {
    const stop = await listen();
    const attached = await connect(true);
    await stop();
    const next = createFakeWorker();
    next.show({ profile: 'next' });
    await listen(next);
    await vi.waitFor(() => expect(attached.snapshot().profile).toBe('next'), 10_000);
    expect(await attached.pause()).toMatchObject({ ok: false });
    expect(next.commands).toEqual([]);
  });
});

describe('who may attach', () => {
  test('socket, its directory and the cookie are for this user alone', async () => {
    await listen();
    const { path } = await address();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
    expect((await stat(join(state, 'worker.socket.json'))).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['a wrong cookie', { cookie: 'wrong' }, /cookie/],
    ['another protocol', { protocol: protocol + 1 }, /protocol/],
    ['another version', { version: '99.0.0' }, /restart the worker/],
    ['anything else', { hello: 'GET / HTTP/1.1' }, /not a hello/],
  ])('not with %s', async (_what, over, why) => {
    await listen();
    const { socket, messages, send } = await rawClient();
    send(await helloOf(over));
    send({ ask: 'intake', id: 1, wish: 'pause' });
    await vi.waitFor(() => expect(socket.closed).toBe(true), 10_000);
    expect(messages()).toEqual([{ say: 'refused', id: null, reason: expect.stringMatching(why) }]);
    expect(worker.commands).toEqual([]);
    expect(worker.listeners()).toBe(0);
  });

  test('an address that other users could have written is ignored', async () => {
    await listen();
    const file = join(state, 'worker.socket.json');
    const text = await readFile(file, 'utf8');
    await rm(file);
    await writeFile(file, text, { mode: 0o644 });
    expect(await findWorker({ stateDirectory: state })).toEqual({ kind: 'absent' });
  });

  test('a socket in a directory that is not ours alone is not called', async () => {
    const path = join(root, 'planted');
    const taken = vi.fn();
    const server = createServer(taken).listen(path);
    stops.push(() => void server.close());
    await chmod(root, 0o755);
    await writeAddress(state, { path, cookie: 'c', pid: 1, host: 'other-host' });
    expect(await findWorker({ stateDirectory: state })).toEqual({
      kind: 'elsewhere',
      pid: 1,
      host: 'other-host',
    });
    expect(taken).not.toHaveBeenCalled();
  });

  test('clients that are refused leave no handles behind, whatever they have sent', async () => {
    await listen();
    const { path } = JSON.parse(await readFile(join(state, 'worker.socket.json'), 'utf8')) as Address;
    for (let count = 0; count < limits.clients; count++) await connect();
    const before = openHandles();
    const refused = Array.from({ length: 20 }, () => {
      const socket = createConnection(path);
      socket.on('error', () => undefined);
      socket.write('x'.repeat(100_000));
      return socket;
    });
    await Promise.all(refused.map(async (socket) => once(socket, 'connect')));
    for (const socket of refused) socket.destroy();
    await vi.waitFor(() => expect(openHandles()).toBeLessThanOrEqual(before), 10_000);
  });

  test('a client beyond the limit is refused with a message', async () => {
    await listen();
    for (let count = 0; count < limits.clients; count++) await connect();
    const found = await findWorker({ stateDirectory: state });
    expect(found).toEqual({
      kind: 'refused',
      message: expect.stringContaining('consoles are attached already'),
    });
  });
});

const wide = (round: number): RunView[] =>
  Array.from({ length: 1_000 }, (_, index) => fakeRun({ id: `${index}`, title: `${round} `.repeat(100) }));

describe('a hostile client does no harm', () => {
  const lines: [string, string, number | null][] = [
    ['no JSON', '{{{', null],
    ['no object', '7', null],
    ['null', 'null', null],
    ['an unknown request', '{"ask":"exec","id":3}', 3],
    ['no number', '{"ask":"intake","wish":"pause"}', null],
    ['an invalid id', '{"ask":"intake","id":"x","wish":"pause"}', null],
    ['one thing too many', '{"ask":"intake","id":4,"wish":"pause","and":1}', 4],
    ['an invalid command', '{"ask":"intake","id":5,"wish":"constructor"}', 5],
    ['an invalid action', '{"ask":"act","id":6,"action":{"kind":"cancel","runs":"all","jobs":[]}}', 6],
    ['an unknown view', '{"ask":"watch","id":7,"what":"__proto__"}', 7],
    ['a prototype', '{"__proto__":{"ask":"intake","id":8,"wish":"pause"}}', null],
    ['deep brackets', '['.repeat(500_000), null],
    ['a NUL', '\u0000', null],
  ];

  test.each(lines)('%s', async (_what, line, id) => {
    await listen();
    const honest = await connect();
    const { messages, send } = await rawClient();
    send(await helloOf());
    send(line);
    await vi.waitFor(() =>
      expect(messages()).toContainEqual({
        say: 'refused',
        id,
        reason: 'That is not a request of dsa-slurm.',
      }),
    );
    expect(worker.commands).toEqual([]);
    // it may go on, and so may everybody else
    send({ ask: 'intake', id: 99, wish: 'pause' });
    await vi.waitFor(() => expect(worker.commands).toEqual(['pause']));
    await vi.waitFor(() => expect(honest.snapshot().health.intake).toBe('paused'));
  });

  test('a line without an end is cut off', async () => {
    await listen();
    const { socket, messages, send } = await rawClient();
    send(await helloOf());
    socket.write('x'.repeat(limits.requestBytes + 70_000));
    await vi.waitFor(() => expect(socket.closed).toBe(true), 10_000);
    expect(messages().at(-1)).toEqual({
      say: 'refused',
      id: null,
      reason: expect.stringContaining('a line of more'),
    });
  });

  test('a long line before the hello is cut off early', async () => {
    await listen();
    const { socket } = await rawClient();
    socket.write('x'.repeat(limits.helloBytes + 1));
    await vi.waitFor(() => expect(socket.closed).toBe(true), 10_000);
  });

  test('who asks without waiting for answers is not read further than a few questions', async () => {
    await listen();
    vi.spyOn(worker, 'act').mockReturnValue(new Promise(() => undefined));
    const { send } = await rawClient();
    send(await helloOf());
    for (let id = 0; id < 2_000; id++)
      send({ ask: 'act', id, action: { kind: 'hold', runs: [], jobs: ['1'] } });
    await vi.waitFor(() => expect(worker.act).toHaveBeenCalledTimes(limits.openRequests));
    const honest = await connect();
    await honest.pause();
    expect(worker.act).toHaveBeenCalledTimes(limits.openRequests);
  });

  test('who follows more than is allowed, or the same twice, is refused that', async () => {
    await listen();
    const { messages, send } = await rawClient();
    send(await helloOf());
    for (let id = 0; id <= limits.followed; id++) send({ ask: 'followLog', id, run: `r${id}` });
    send({ ask: 'followLog', id: 1, run: 'again' });
    await vi.waitFor(() =>
      expect(messages()).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ say: 'refused', id: limits.followed }),
          expect.objectContaining({ say: 'refused', id: 1 }),
        ]),
      ),
    );
    expect(worker.following()).toHaveLength(limits.followed);
  });

  test('a client that does not read holds one snapshot, whatever happens meanwhile', async () => {
    await listen();
    const { socket, messages, send } = await rawClient();
    socket.pause();
    send(await helloOf());
    await vi.waitFor(() => expect(worker.listeners()).toBe(1));
    for (let round = 0; round < 200; round++) worker.show({ runs: wide(round) });
    const honest = await connect();
    expect(honest.snapshot().runs[0]?.title).toContain('199');
    socket.resume();
    await vi.waitFor(() => expect(JSON.stringify(messages())).toContain('199 199'), 20_000);
    // the first ones filled the pipe; of the two hundred next to none was sent
    expect(messages().length).toBeLessThan(20);
  });
});

describe('where the socket is', () => {
  test('a state directory with a long path has its socket elsewhere', async () => {
    const deep = join(root, 'x'.repeat(60), 'y'.repeat(60), 'state');
    await makeDirectory(deep, 0o700);
    const stop = await listen(worker, deep);
    const { path } = await address(deep);
    expect(path.startsWith(root)).toBe(false);
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
    const attached = await connect(false, deep);
    expect(attached.snapshot().profile).toBe('default');
    await stop();
    await expect(stat(dirname(path))).rejects.toThrow('ENOENT');
  });

  test('what a dead worker has left is replaced', async () => {
    await makeDirectory(join(state, 'socket'), 0o777);
    await writeFile(join(state, 'socket', 'old'), '');
    const temporary = await mkdtemp(join(tmpdir(), 'dsa-slurm-'));
    await writeFile(join(temporary, 'worker'), '');
    await writeAddress(state, { path: join(temporary, 'worker'), cookie: 'old', pid: 1, host: 'h' });
    await listen();
    const { path, cookie } = await address();
    expect(cookie).not.toBe('old');
    expect(await readdir(join(state, 'socket'))).toEqual([path.split('/').at(-1)]);
    await expect(stat(temporary)).rejects.toThrow('ENOENT');
    await connect();
  });

  test('who stops takes away only its own address', async () => {
    const stop = await listen();
    const taken = { path: '/nowhere/else', cookie: 'of another worker', pid: 1, host: 'h' };
    await writeAddress(state, taken);
    await stop();
    expect(await address()).toEqual(taken);
  });

  test('nobody there: the error says what to do', async () => {
    await expect(connectWorker({ stateDirectory: state })).rejects.toMatchObject({
      code: 'worker',
      message: 'No worker runs for this profile.',
      next: expect.stringContaining('dsa-slurm worker'),
    });
    await listen();
    const left = await address();
    await stops[0]?.();
    await writeAddress(state, left);
    expect(await findWorker({ stateDirectory: state })).toEqual({ kind: 'absent' });
    await writeAddress(state, { ...left, host: 'other-host' });
    await expect(connectWorker({ stateDirectory: state })).rejects.toThrow(
      /runs on other-host .* only there/,
    );
  });

  test('a worker that hangs is said to hang', async () => {
    const directory = await mkdtemp(join(root, 'hangs-'));
    const path = join(directory, 'w');
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket)).listen(path);
    stops.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await writeAddress(state, { path, cookie: 'c', pid: 77, host: 'h' });
    expect(await findWorker({ stateDirectory: state, patienceMs: 50 })).toEqual({
      kind: 'refused',
      message: expect.stringMatching(/process 77.*It does not answer\.$/),
    });
  });
});

function openHandles(): number {
  return readdirSync('/proc/self/fd').length;
}
