import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { commandTarget, noticeTargets, webhookTarget } from '../../../../src/worker/notices/targets.js';

const never = new AbortController().signal;
const env = { PATH: process.env['PATH'] ?? '' };

async function aDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dsa-notices-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

async function script(text: string): Promise<{ file: string; directory: string }> {
  const directory = await aDirectory();
  const file = join(directory, 'notice.sh');
  await writeFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o700 });
  return { file, directory };
}

async function aServer(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/SECRET/`;
}

describe('a command', () => {
  it('gets the JSON on standard input and its arguments as they are', async () => {
    const { file, directory } = await script('cat > "$1"; printf "%s\\n" "$2" "$SECRET" >> "$1"');
    const out = join(directory, 'out');
    expect(await commandTarget([file, out, '$(id); a b'], env).send('{"a":"é"}', never)).toBeNull();
    expect(await readFile(out, 'utf8')).toBe('{"a":"é"}\n$(id); a b\n\n');
  });

  it('that reads nothing has succeeded', async () => {
    expect(await commandTarget(['true'], env).send('x'.repeat(300_000), never)).toBeNull();
  });

  it.each([
    ['exit 3', /^exited with 3$/],
    ['echo "amqp://u:hunter2@host/ is down" >&2; exit 1', /^exited with 1: amqp:\/\/u:\*\*\*@host/],
  ])('that fails (%s) says why, without passwords', async (text, why) => {
    const { file } = await script(text);
    expect(await commandTarget([file], env).send('{}', never)).toMatch(why);
  });

  it('that is missing, or does not end, is a reason', async () => {
    expect(await commandTarget(['/nonexistent/notice'], env).send('{}', never)).toBe(
      'could not be started (ENOENT)',
    );
    const { file } = await script('exec sleep 600');
    expect(await commandTarget([file], env, 100).send('{}', never)).toMatch(/did not answer within/);
  });
});

it('a process that a command leaves behind does not hold up anything', async () => {
  const { file, directory } = await script('sleep 600 & echo $! > "$1"');
  const pidFile = join(directory, 'pid');
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const sent = commandTarget([file, pidFile], env).send('{}', never);
  const pid = await vi.waitFor(async () => {
    const text = await readFile(pidFile, 'utf8');
    expect(text).toMatch(/^\d+\n$/);
    return Number(text);
  });
  onTestFinished(() => void process.kill(pid));
  await vi.advanceTimersByTimeAsync(40_000);
  expect(await sent).toMatch(/left a process behind|did not answer/);
});

describe('a webhook', () => {
  it('gets a POST of JSON, which does not count as a request to Girder', async () => {
    const got: unknown[] = [];
    const url = await aServer((request, response) => {
      const { method, url: path, headers } = request;
      let body = '';
      request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      request.on('end', () => {
        got.push({ method, path, type: headers['content-type'], body });
        response.writeHead(204).end();
      });
    });
    const counted: unknown[] = [];
    const count = (message: unknown): number => counted.push(message);
    subscribe('undici:request:create', count);
    onTestFinished(() => void unsubscribe('undici:request:create', count));
    expect(await webhookTarget(url).send('{"a":"é"}', never)).toBeNull();
    expect(got).toEqual([
      { method: 'POST', path: '/hooks/SECRET/', type: 'application/json', body: '{"a":"é"}' },
    ]);
    expect(counted).toEqual([]);
  });

  it.each([302, 404, 503])('that answers %i has failed; a redirect is not followed', async (status) => {
    let requests = 0;
    const url = await aServer((_, response) => {
      requests += 1;
      response.writeHead(status, { Location: '/elsewhere' }).end('no');
    });
    expect(await webhookTarget(url).send('{}', never)).toBe(`answered with status ${status}`);
    expect(requests).toBe(1);
  });

  it('that does not answer, or is not there, is a reason without its path', async () => {
    const url = await aServer(() => undefined);
    expect(await webhookTarget(url, 100).send('{}', never)).toBe('did not answer within 0.1 s');
    expect(await webhookTarget('http://127.0.0.1:1/hooks/SECRET').send('{}', never)).toBe('ECONNREFUSED');
  });

  it('is abandoned when the worker stops', async () => {
    const stop = new AbortController();
    const url = await aServer(() => stop.abort());
    expect(await webhookTarget(url).send('{}', stop.signal)).toBe('ABORT_ERR');
  });
});

it('the command of the settings gets no secrets of the environment', async () => {
  const { file, directory } = await script('env > "$1"');
  const out = join(directory, 'out');
  const secrets = { SLURM_JWT: 'hush', DSA_SLURM_BROKER_URL: 'hush', APPTAINERENV_TOKEN: 'hush' };
  const [target] = noticeTargets({ command: [file, out], webhook: null }, { ...env, TZ: 'UTC', ...secrets });
  expect(await target?.send('{}', never)).toBeNull();
  expect(await readFile(out, 'utf8')).toMatch(/^TZ=UTC$/m);
  expect(await readFile(out, 'utf8')).not.toContain('hush');
});

it('without a command and a webhook there is no target', () => {
  expect(noticeTargets({ command: [], webhook: null }, env)).toEqual([]);
  const both = noticeTargets({ command: ['true'], webhook: 'https://chat.example.org/a' }, env);
  expect(both.map(({ name }) => name)).toEqual(['notices.command', 'notices.webhook']);
});
