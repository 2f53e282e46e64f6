import { readdir } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';
import { sendJson, startScriptedServer } from '../../support/scripted-http.js';

let lab: Lab;
let sink: Awaited<ReturnType<typeof startScriptedServer>>;

beforeAll(async () => {
  lab = await openLab();
  sink = await startScriptedServer((response, { path }) => {
    if (path === '/refuses') sendJson(response, { no: 1 }, 403);
    else sendJson(response, { _id: 'x' });
  });
});

afterAll(async () => {
  await lab.close();
  await sink.close();
});

const heardAt = (path: string) => sink.heard.filter((heard) => heard.path === path);

describe.concurrent('streams of a job on another node', () => {
  test('reach the program, the receiver, the log and the progress bar', async () => {
    const input = await lab.girder.addFile(lab.girder.rootFolderId, 'in.txt', Buffer.from('from girder\n'));
    const published = await lab.publish({
      spelling: 'dockerRun',
      args: [
        'Stream',
        { pipe: 'in.pipe', fromFile: input.id },
        { pipe: 'out.pipe', postTo: `${sink.origin}/pipe?key=SECRET`, headers: { 'X-Key': 'SECRET' } },
        { pipe: 'deep/log.pipe', toHost: 'StdErr' },
        { progressPipe: '.girder_progress' },
      ],
      streams: [{ container: 'StdOut', postTo: `${sink.origin}/stdout` }],
    });
    const job = await lab.ended(published);
    expectStatus(job, status.success);
    const log = job.log.join('');
    expect(log.match(/through a pipe/g)).toHaveLength(1);
    expect(log).toContain('complained by the container');
    expect(log).not.toContain('said by the container');
    expect(log).not.toContain('SECRET');
    expect(job.progress).toMatchObject({ total: 4, current: 3, message: 'nearly' });
    const [post, ...more] = heardAt('/pipe');
    expect(more).toEqual([]);
    expect(post).toMatchObject({ method: 'POST' });
    expect(post?.headers).toMatchObject({ 'x-key': 'SECRET', 'transfer-encoding': 'chunked' });
    expect(post?.body.toString()).toBe('first half\nFROM GIRDER\n');
    expect(heardAt('/stdout').map(({ body }) => body.toString())).toEqual(['said by the container\n']);
  });

  test('without a receiver fail the run at once, with a reason and without its secrets', async () => {
    const input = await lab.girder.addFile(lab.girder.rootFolderId, 'in2.txt', Buffer.from('x\n'));
    const published = await lab.publish({
      spelling: 'dockerRun',
      args: [
        'Stream',
        { pipe: 'in', fromFile: input.id },
        { pipe: 'out', postTo: 'http://127.0.0.1:1/x?key=SECRET' },
        { pipe: 'log', toHost: 'StdOut' },
        { progressPipe: 'p' },
        '600',
      ],
    });
    const job = await lab.ended(published);
    expectStatus(job, status.error);
    expect(job.log.join('')).toMatch(/stream of the analysis could not be sent: 127\.0\.0\.1:1 /);
    expect(job.log.join('')).not.toContain('SECRET');
  });

  test('that are refused at their end fail the run', async () => {
    const published = await lab.publish({
      spelling: 'dockerRun',
      args: ['Show', '/dev/null', 'x'],
      streams: [{ container: 'StdErr', postTo: `${sink.origin}/refuses` }],
    });
    const job = await lab.ended(published);
    expectStatus(job, status.error);
    expect(job.log.join('')).toMatch(/answered 403/);
  });

  test('of a failed run are kept as artifacts if requested, and nothing is left behind', async () => {
    const published = await lab.publish({
      spelling: 'dockerRun',
      args: [
        'Leave',
        { artifact: 'left.txt', onException: true, keptAt: `${sink.origin}/kept` },
        { temporaryDirectory: true },
        { artifact: 'other.txt', onException: false, keptAt: `${sink.origin}/kept` },
        { artifact: 'left.txt', onException: true, keptAt: lab.girder.apiUrl },
      ],
    });
    const job = await lab.ended(published);
    expectStatus(job, status.error);
    expect(job.log.join('')).toMatch(/exit code 4/);
    expect(job.log.join('')).toContain('does not support job artifacts');
    const [kept, ...more] = heardAt(`/kept/job/${published.id}/artifact`);
    expect(more).toEqual([]);
    expect(kept?.query.get('name')).toBe('left.txt');
    expect(kept?.body.toString()).toBe('what was left\n');
    await lab.until(async () => {
      const left = await readdir(lab.settings.dirs.tmp);
      const runs = lab.worker.handle
        .snapshot()
        .runs.filter(({ girderJobId }) => girderJobId === published.id);
      return runs.every(({ id }) => !left.some((name) => name.includes(id)));
    });
  });
});

test('a restarted worker repeats no output, and sends its request again', async () => {
  const own = await openLab();
  try {
    const input = await own.girder.addFile(own.girder.rootFolderId, 'in.txt', Buffer.from('x\n'));
    const published = await own.publish({
      spelling: 'dockerRun',
      args: [
        'Stream',
        { pipe: 'in', fromFile: input.id },
        { pipe: 'out', postTo: `${sink.origin}/anew` },
        { pipe: 'log', toHost: 'StdOut' },
        { progressPipe: 'p' },
        '4',
      ],
    });
    const log = (): string => own.girder.job(published.id)?.log.join('') ?? '';
    await own.until(() => log().includes('through a pipe'));
    await own.worker.stop();
    await own.startWorker();
    expectStatus(await own.ended(published), status.success);
    expect(log().match(/through a pipe/g)).toHaveLength(1);
    expect(heardAt('/anew').map(({ body }) => body.toString())).toEqual(['first half\nX\n']);
  } finally {
    await own.close();
  }
});
