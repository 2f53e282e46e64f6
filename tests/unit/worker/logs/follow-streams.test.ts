import { appendFile, mkdtemp, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { systemClock } from '../../../../src/base/clock.js';
import { silentLog } from '../../../../src/base/log.js';
import type { Analysis } from '../../../../src/girder/protocol/analysis.js';
import type { LogMark } from '../../../../src/girder/jobs/log-buffer.js';
import { silentGirderJob } from '../../../../src/girder/jobs/job.js';
import type { StreamConnector, StreamSink } from '../../../../src/girder/protocol/streams.js';
import { followStreams } from '../../../../src/worker/logs/follow-streams.js';
import type { NewRunEvent } from '../../../../src/worker/run-state/run-store.js';
import type { StageContext, WorkerServices } from '../../../../src/worker/worker-services.js';
import {
  createTestSetup,
  sendJson,
  startScriptedServer,
  type Script,
} from '../../../support/scripted-http.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function output(sink: StreamSink): StreamConnector {
  return { kind: 'output', identity: 'body:1', pipe: { name: 'p', volume: { kind: 'default' } }, sink };
}

function toPost(origin: string): StreamConnector {
  return output({ kind: 'http', url: `${origin}/sink?key=SECRET`, headers: { 'X-Key': 'SECRET' } });
}

/** A run with one stream whose file is there already. */
async function bench(
  connector: (origin: string) => StreamConnector,
  script: Script = (r) => sendJson(r, {}),
) {
  const server = await startScriptedServer(script);
  const setup = { ...createTestSetup(), clock: systemClock };
  closers.push(server.close, async () => setup.connections.close());
  const file = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-streams-')), 'p');
  await writeFile(file, '');
  const news: NewRunEvent[] = [];
  let message = '';
  const marks: LogMark[] = [];
  let flushed = 0;
  const run = {
    staged: { pipes: [file] },
    submission: {},
    brokenStream: null as string | null,
    streamOffsets: {} as Record<number, number>,
  };
  const record = (_: string, what: NewRunEvent): void => void news.push(what);
  const stop = new AbortController();
  const cancel = new AbortController();
  const context = {
    id: 'a',
    signal: AbortSignal.any([stop.signal, cancel.signal]),
    stopping: stop.signal,
    girderJob: {
      ...silentGirderJob(),
      log(text: string, mark: LogMark) {
        message += text;
        marks.push(mark);
      },
      flush: async () => void (flushed = marks.length),
    },
  } as unknown as StageContext;
  const services = {
    clock: systemClock,
    log: silentLog(),
    settings: { girder: { reportSeconds: 0.005 } },
    girderSetup: () => setup,
    runStore: { get: () => run, recordVolatile: record, record },
  } as unknown as WorkerServices;
  const over = new AbortController();
  let broken = 0;
  const follow = async (): Promise<void> =>
    followStreams(
      context,
      { args: [], streams: [connector(server.origin)] } as unknown as Analysis,
      services,
      AbortSignal.any([over.signal, stop.signal]),
      () => void (broken += 1),
    );
  return {
    ...server,
    file,
    news,
    run,
    over,
    stop,
    cancel,
    follow,
    message: () => message,
    marks,
    flushed: () => flushed,
    broken: () => broken,
  };
}

describe('a stream into the log', () => {
  it('resumes at the last sent byte, and waits until Girder has everything', async () => {
    const { file, follow, message, marks, flushed, run, over } = await bench(() =>
      output({ kind: 'girderLog' }),
    );
    await writeFile(file, 'old new é');
    run.streamOffsets[0] = 4;
    over.abort();
    await follow();
    expect(message()).toBe('new é');
    expect(marks).toEqual([{ source: '0', at: 10 }]);
    expect(flushed()).toBe(1);
  });

  it('holds back an incomplete character', async () => {
    const { file, follow, message, marks, over } = await bench(() => output({ kind: 'girderLog' }));
    await writeFile(file, Buffer.from('aé').subarray(0, 2));
    const followed = follow();
    await expect.poll(message).toBe('a');
    await appendFile(file, Buffer.from('é').subarray(1));
    over.abort();
    await followed;
    expect(message()).toBe('aé');
    expect(marks).toMatchObject([{ at: 1 }, { at: 3 }]);
  });

  it('starts over with a truncated file', async () => {
    const { file, follow, message, over } = await bench(() => output({ kind: 'girderLog' }));
    await writeFile(file, 'first attempt');
    const followed = follow();
    await expect.poll(message).toBe('first attempt');
    await truncate(file);
    await appendFile(file, 'second');
    await expect.poll(message).toBe('first attemptsecond');
    over.abort();
    await followed;
  });

  it('that is not a regular file is ignored', async () => {
    const { follow, message, over, broken, run } = await bench(() => output({ kind: 'girderLog' }));
    run.staged.pipes = ['/dev/zero'];
    over.abort();
    await follow();
    expect([message(), broken()]).toEqual(['', 0]);
  });
});

describe('a stream to a receiver', () => {
  it('of a canceled run is aborted without failing it', async () => {
    const { file, follow, heard, news, broken, over, cancel } = await bench(toPost);
    await writeFile(file, 'half of it');
    const followed = follow();
    cancel.abort();
    over.abort();
    await followed;
    expect([heard, news, broken()]).toEqual([[], [], 0]);
  });

  it('is one request, made while the file grows', async () => {
    const { file, follow, heard, over, broken } = await bench(toPost);
    const followed = follow();
    await appendFile(file, 'one');
    await appendFile(file, Buffer.from([0, 255]));
    over.abort();
    await followed;
    expect(heard.map(({ method, body }) => [method, body.toString('latin1')])).toEqual([['POST', 'one\0ÿ']]);
    expect(broken()).toBe(0);
  });

  it.each([300, 403, 500])('that answers %i fails the run without revealing secrets', async (code) => {
    const { follow, news, over, broken } = await bench(toPost, (response) => sendJson(response, {}, code));
    over.abort();
    await follow();
    expect(broken()).toBe(1);
    expect(news).toEqual([
      { type: 'stream-broken', reason: expect.stringContaining(`answered ${code}`) as string },
    ]);
    expect(JSON.stringify(news)).not.toContain('SECRET');
  });

  it('is an aborted request when the worker stops, without failing the run', async () => {
    const { file, follow, heard, news, stop, broken } = await bench(toPost);
    await appendFile(file, 'half');
    const followed = follow();
    stop.abort();
    await followed;
    expect([heard, news, broken()]).toEqual([[], [], 0]);
  });

  it('is not repeated once it is broken', async () => {
    const { follow, heard, run, over } = await bench(toPost);
    run.brokenStream = 'as before';
    over.abort();
    await follow();
    expect(heard).toEqual([]);
  });
});

it('the latest progress of the program is shown', async () => {
  const { file, follow, news, over } = await bench(() => ({
    kind: 'progress',
    identity: 'body:1',
    pipe: { name: 'p', volume: { kind: 'default' } },
  }));
  await writeFile(file, '{"total": 3}\n{"current": 1}\n{"current": 2');
  over.abort();
  await follow();
  expect(news).toEqual([{ type: 'progress', progress: { total: 3, current: 1, message: null } }]);
});
