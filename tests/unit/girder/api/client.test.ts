import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { errorLine } from '../../../../src/base/errors.js';
import { mapApiUrl, segment } from '../../../../src/girder/api/api-url.js';
import { createGirderConnections } from '../../../../src/girder/api/connections.js';
import { createGirderClient, type GirderClient } from '../../../../src/girder/api/client.js';
import { GirderError } from '../../../../src/girder/api/girder-error.js';
import {
  createTestSetup,
  sendJson,
  startScriptedServer,
  type Script,
} from '../../../support/scripted-http.js';

const token = 'SECRETTOKENSECRETTOKEN';
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map(async (close) => close()));
});

async function start(script: Script, apiUrlMap: Record<string, string> = {}) {
  const server = await startScriptedServer(script);
  const setup = { ...createTestSetup(), apiUrlMap };
  closers.push(server.close, async () => setup.connections.close());
  const client = createGirderClient({ ...setup, apiUrl: `${server.origin}/api/v1/`, token });
  return { ...server, setup, client };
}

const ask = async (client: GirderClient, signal?: AbortSignal) =>
  client.json(z.object({ ok: z.boolean() }), { method: 'GET', path: 'x', signal });

async function failure(work: Promise<unknown>): Promise<GirderError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof GirderError)) throw error;
  expect(`${errorLine(error)} ${JSON.stringify(error)} ${error.stack}`).not.toContain(token);
  return error;
}

/** Answers the n-th request with the n-th handler, and further ones with the last. */
function inTurn(...answers: ((response: ServerResponse) => void)[]): Script {
  let turn = 0;
  return (response) => {
    answers[Math.min(turn, answers.length - 1)]?.(response);
    turn += 1;
  };
}

const ok = (response: ServerResponse): void => sendJson(response, { ok: true });
const status = (code: number, body: unknown) => (response: ServerResponse) => sendJson(response, body, code);
const hangUp = (response: ServerResponse): void => {
  response.socket?.destroy();
};
const truncated = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-length': '100' });
  response.write('{"ok":');
  setImmediate(() => response.socket?.destroy());
};
const page = (code: number) => (response: ServerResponse) =>
  response.writeHead(code, { 'content-type': 'text/html' }).end('<!DOCTYPE html><p>Hello</p>');

const busy = (response: ServerResponse): void => {
  response.writeHead(503, { 'retry-after': '30' }).end();
};
const to =
  (location: string, code = 303) =>
  (response: ServerResponse): unknown =>
    response.writeHead(code, { location }).end();

describe('a request', () => {
  it('sends the token as a header and nowhere else', async () => {
    const { client, heard } = await start(ok);
    await client.json(z.unknown(), {
      method: 'PUT',
      path: `job/${segment('a/b')}`,
      query: { name: 'x y', none: undefined, limit: 5 },
      form: { log: 'ä b\n' },
    });
    const [request] = heard;
    expect(request?.path).toBe('/api/v1/job/a%2Fb');
    expect(request?.query.toString()).toBe('name=x+y&limit=5');
    expect(request?.headers['girder-token']).toBe(token);
    expect(request?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(request?.body.toString()).toBe('log=%C3%A4+b%0A');
  });

  it.each([
    ['a hung-up connection', hangUp],
    ['a truncated body', truncated],
    ['429', status(429, {})],
    ['502', page(502)],
    ['503', page(503)],
    ['504', status(504, {})],
    ['500 on GET', status(500, { type: 'internal', message: 'An unexpected error occurred on the server.' })],
  ])('survives %s', async (_what, failure) => {
    const { client, heard, setup } = await start(inTurn(failure, failure, ok));
    expect(await ask(client)).toEqual({ ok: true });
    expect(heard).toHaveLength(3);
    expect(setup.clock.slept).toHaveLength(2);
    expect(setup.clock.slept[1]).toBeGreaterThanOrEqual(1_000);
  });

  it('waits as long as Retry-After says, up to a minute', async () => {
    const { client, setup } = await start(inTurn(busy, ok));
    await ask(client);
    expect(setup.clock.slept[0]).toBe(30_000);
  });

  it('gives up after six attempts', async () => {
    const { client, heard } = await start(hangUp);
    const error = await failure(ask(client));
    expect(error).toMatchObject({ code: 'girder', kind: 'unreachable', status: null, transient: true });
    expect(error.message).toMatch(/^Girder at http:\/\/127\.0\.0\.1:\d+ could not be reached \(.+\)\.$/);
    expect(heard).toHaveLength(6);
  });

  it('does not repeat a modifying request after a 500', async () => {
    const { client, heard } = await start(status(500, { type: 'internal', message: 'oops' }));
    const error = await failure(client.json(z.unknown(), { method: 'POST', path: 'file' }));
    expect(error).toMatchObject({ kind: 'busy', status: 500, girderMessage: 'oops' });
    expect(heard).toHaveLength(1);
  });

  it('stops at once when its signal aborts', async () => {
    const { client } = await start(() => undefined);
    const abort = new AbortController();
    const asked = failure(ask(client, abort.signal));
    setImmediate(() => abort.abort());
    expect(await asked).toMatchObject({ kind: 'aborted' });
  });

  it('names the host when nothing is listening', async () => {
    const { client, close } = await start(ok);
    await close();
    closers.shift();
    expect((await failure(ask(client))).message).toMatch(/ECONNREFUSED/);
  });
});

describe('error responses', () => {
  it.each([
    [401, { type: 'access', message: 'You must be logged in.' }, 'access'],
    [403, { type: 'access', message: 'Read access denied.' }, 'access'],
    [404, { type: 'rest', message: 'No such file.' }, 'missing'],
    [400, { type: 'rest', message: 'Invalid file id (000000000000000000000000).' }, 'missing'],
    [400, { type: 'rest', message: 'No matching route for "POST job/1/artifact"' }, 'refused'],
    [
      400,
      {
        type: 'validation',
        field: 'status',
        message: "Invalid state transition to '2', Current state is '3'.",
      },
      'refused',
    ],
  ])('%i %j', async (code, body, kind) => {
    const { client, heard } = await start(status(code, body));
    const error = await failure(ask(client));
    expect(error).toMatchObject({
      kind,
      status: code,
      girderMessage: body.message,
      type: body.type,
      transient: false,
    });
    expect(error.field).toBe('field' in body ? body.field : null);
    // the sentence around Girder's message has its own period
    if (error.access !== 'expired') expect(error.message).toContain(body.message.replace(/\.$/, ''));
    expect(error.message).not.toMatch(/\.\.|\.\)\.$/);
    expect(heard.filter(({ path }) => path === '/api/v1/x')).toHaveLength(1);
  });

  /** Girder's own messages (girder/api/rest.py, access.py, models/model_base.py). */
  it.each<[string, number, string, unknown, string, RegExp]>([
    ['expired', 401, 'You must be logged in.', null, 'expired', /has expired/],
    ['expired', 401, 'Read access denied for file x (user None).', null, 'expired', /has expired/],
    ['for something else', 401, 'You must be logged in.', { scope: ['other'] }, 'scope', /not valid for/],
    [
      'gone',
      401,
      'Invalid token scope.\nRequired: jobs.job_x.\nAllowed: ',
      undefined,
      'expired',
      /has expired or was revoked \(401\)\.$/,
    ],
    [
      'for something else',
      401,
      'Invalid token scope.\nRequired: a.\nAllowed: b',
      undefined,
      'scope',
      /not valid for/,
    ],
    [
      'of a user without the right',
      403,
      'Write access denied for folder x (user y).',
      0,
      'denied',
      /no permission/,
    ],
  ])('tells a token that is %s (%i %s)', async (_what, code, message, current, access, words) => {
    const { client } = await start((response, { path }) => {
      if (path !== '/api/v1/token/current') return sendJson(response, { type: 'access', message }, code);
      if (current === undefined) return sendJson(response, { message: 'down' }, 503);
      return sendJson(response, current);
    });
    const error = await failure(ask(client));
    expect(error).toMatchObject({ kind: 'access', access, status: code });
    expect(error.message).toMatch(words);
    expect(error.next).toMatch(/start (it|the analysis) again/i);
  });

  it('does not mistake an error of a proxy for one of Girder', async () => {
    const { client } = await start(page(404));
    expect(await failure(ask(client))).toMatchObject({ kind: 'not-girder', status: 404 });
  });

  it.each([
    ['a web page', page(200), /answered GET x with a web page\./],
    ['nothing', (response: ServerResponse) => void response.writeHead(200).end(), /an empty response/],
    ['another shape', status(200, [1]), /a response that does not come from Girder/],
  ])('recognises %s', async (_what, answer, words) => {
    const { client } = await start(answer);
    const error = await failure(ask(client));
    expect(error.kind).toBe('not-girder');
    expect(error.message).toMatch(words);
  });

  it('keeps control characters of a response out of error messages', async () => {
    const { client } = await start(
      status(400, { type: 'rest', message: `a\u001b[2J\nb${'x'.repeat(5_000)}` }),
    );
    const error = await failure(ask(client));
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.message.length).toBeLessThan(700);
  });

  it.each(['ftp://host/api/v1', 'no url', ''])('refuses the API URL %j', async (apiUrl) => {
    const { setup } = await start(ok);
    const client = createGirderClient({ ...setup, apiUrl, token });
    expect((await failure(ask(client))).message).toMatch(/not an http or https URL/);
  });
});

describe('redirects', () => {
  it('keep the token on the same origin, and method and body', async () => {
    const { client, heard } = await start(inTurn(to('/elsewhere/x?y=1', 301), ok));
    await client.json(z.unknown(), { method: 'PUT', path: 'x', form: { a: 'b' } });
    expect(heard[1]).toMatchObject({ method: 'PUT', path: '/elsewhere/x' });
    expect(heard[1]?.headers['girder-token']).toBe(token);
    expect(heard[1]?.body.toString()).toBe('a=b');
  });

  it('never send the token to another host, nor after a redirect back', async () => {
    const other = await start(inTurn((response) => to(`${first.origin}/back`)(response)));
    const first: Awaited<ReturnType<typeof start>> = await start(inTurn(to(`${other.origin}/file`), ok));
    expect(await ask(first.client)).toEqual({ ok: true });
    expect(other.heard[0]?.headers['girder-token']).toBeUndefined();
    expect(first.heard[1]?.path).toBe('/back');
    expect(first.heard[1]?.headers['girder-token']).toBeUndefined();
  });

  it('are followed to another host for GET only', async () => {
    const other = await start(ok);
    const { client } = await start(to(`${other.origin}/x`, 307));
    const error = await failure(client.json(z.unknown(), { method: 'PUT', path: 'x', form: { log: 'a' } }));
    expect(error.message).toMatch(/another host/);
    expect(other.heard).toEqual([]);
  });

  it.each(['file:///etc/passwd', 'http://['])('to %s are errors', async (location) => {
    const { client } = await start(to(location));
    expect((await failure(ask(client))).message).toMatch(/an unusable redirect/);
  });

  it('are limited in number', async () => {
    const { client, heard } = await start(to('/round'));
    expect((await failure(ask(client))).kind).toBe('not-girder');
    expect(heard).toHaveLength(6);
  });
});

describe('mapApiUrl', () => {
  const map = {
    'http://localhost:8080': 'https://dsa.example',
    'http://localhost:8080/api/': 'http://inside/api',
  };
  it.each([
    ['http://localhost:8080/girder/x', 'https://dsa.example/girder/x'],
    ['http://localhost:8080/api/v1', 'http://inside/api/v1'],
    ['http://localhost:8080', 'https://dsa.example'],
    ['http://localhost:80801/api/v1', 'http://localhost:80801/api/v1'],
    ['http://other/api/v1', 'http://other/api/v1'],
  ])('%s is %s', (url, mapped) => {
    expect(mapApiUrl(url, map)).toBe(mapped);
  });

  it('is applied by the client', async () => {
    const server = await start(ok);
    const client = createGirderClient({
      ...server.setup,
      apiUrlMap: { 'http://girder:8080': server.origin },
      apiUrl: 'http://girder:8080/api/v1',
      token,
    });
    expect(await ask(client)).toEqual({ ok: true });
  });
});

it('segment prevents access to another resource', () => {
  for (const text of ['..', '.', '', '../user', 'a?b', 'a#b', '\ud800']) {
    const { pathname } = new URL(`http://host/api/v1/file/${segment(text)}/download`);
    expect(pathname.split('/')).toHaveLength(6);
    expect(pathname).toMatch(/^\/api\/v1\/file\/[^/]+\/download$/);
  }
});

describe('a worker that has lost its lease', () => {
  const lost = new Error('another worker has taken over');

  /** A client of a worker that loses its state directory after the given number of write checks. */
  async function startLosing(after: number) {
    const [server, setup] = [await startScriptedServer(ok), createTestSetup()];
    let asked = 0;
    const connections = createGirderConnections(null, async () => {
      asked += 1;
      if (asked > after) throw lost;
    });
    closers.push(
      server.close,
      async () => setup.connections.close(),
      async () => connections.close(),
    );
    const client = createGirderClient({ ...setup, connections, apiUrl: `${server.origin}/api/v1/`, token });
    return { server, client };
  }

  it.each(['PUT', 'POST', 'DELETE', 'PATCH'])('sends no %s', async (method) => {
    const { server, client } = await startLosing(0);
    await expect(client.json(z.unknown(), { method, path: 'x' })).rejects.toThrow(lost);
    expect(server.heard).toEqual([]);
  });

  it('still reads', async () => {
    const { server, client } = await startLosing(0);
    expect(await ask(client)).toEqual({ ok: true });
    expect(server.heard).toHaveLength(1);
  });

  it('stops sending a body halfway', async () => {
    const { server, client } = await startLosing(2);
    const pieces = ['one', 'two', 'three'];
    const body = { length: 11, open: () => Readable.from(pieces.map((piece) => Buffer.from(piece))) };
    await expect(client.json(z.unknown(), { method: 'POST', path: 'x', body })).rejects.toThrow();
    expect(server.heard.map(({ body: got }) => got.toString())).not.toContain('onetwothree');
  });
});
