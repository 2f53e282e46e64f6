import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { clientFor, createGirderClient } from '../../../src/girder/api/client.js';
import { createGirderConnections, openGirderConnections } from '../../../src/girder/api/connections.js';
import { createGirderJob } from '../../../src/girder/jobs/job.js';
import { createReportLimits } from '../../../src/girder/jobs/report-limits.js';
import { openSession, readSession } from '../../../src/girder/api/requests-session.js';
import { makeCertificates, type Certificates } from '../../support/certificates.js';
import { createTestSetup, sendJson, startScriptedServer, type Script } from '../../support/scripted-http.js';

let dir: string;
let files: Certificates;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'girder-https-'));
  files = await makeCertificates(dir);
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const answer: Script = (response) => sendJson(response, { status: 2, handler: 'celery_handler' });

async function startGirder({ script = answer, wantsCertificate = false } = {}) {
  const server = await startScriptedServer(script, {
    cert: await readFile(files.serverCert),
    key: await readFile(files.serverKey),
    ...(wantsCertificate ? { ca: await readFile(files.ca), requestCert: true } : {}),
  });
  onTestFinished(server.close);
  return server;
}

/** A setup that trusts the given authority. */
async function site(caFile: string | null = null) {
  const connections = await openGirderConnections({ caFile });
  onTestFinished(connections.close);
  return { ...createTestSetup(), connections };
}

/** Sets RUNNING with a message that has these `girder_client_session_kwargs`. */
async function report(
  origin: string,
  kwargs: unknown,
  { caFile = null, prefix = '' }: { caFile?: string | null; prefix?: string } = {},
) {
  const setup = await site(caFile);
  const session = readSession(kwargs);
  const { connection, notes } = await openSession(session, origin.startsWith('https:') ? 'https' : 'http');
  const girderJob = createGirderJob(
    {
      id: 'j',
      url: `${origin}${prefix}/api/v1/job/j`,
      method: 'PUT',
      headers: { 'Girder-Token': 'JOBTOKEN' },
      session,
    },
    {
      ...setup,
      connection,
      limits: createReportLimits({ reportMs: 1, concurrency: 1 }),
      tokenExpiresAt: 0,
      finishPatienceMs: 0,
    },
  );
  const result = await girderJob.begin('running').then(
    (begun) => begun,
    (error: unknown) => error as Error & { next?: string },
  );
  return { result, notes };
}

describe('a Girder whose certificate is of a private authority', () => {
  test('is not trusted by default, and the error names the setting to use', async () => {
    const { origin } = await startGirder();
    const { result } = await report(origin, undefined);
    expect(result).toMatchObject({
      kind: 'unreachable',
      next: expect.stringMatching(/girder\.caFile/) as string,
    });
  });

  test('is trusted with girder.caFile, by every client', async () => {
    const { origin, heard } = await startGirder();
    expect(await report(origin, undefined, { caFile: files.ca })).toEqual({ result: 'go', notes: [] });
    const client = clientFor({ apiUrl: `${origin}/api/v1`, token: 'T' }, await site(files.ca));
    await client.json(z.unknown(), { method: 'GET', path: 'folder/1', attempts: 1 });
    expect(heard.at(-1)?.headers['girder-token']).toBe('T');
  });

  test.each<[string, () => Promise<string>, RegExp]>([
    ['is not there', async () => join(dir, 'none.pem'), /cannot be read \(ENOENT\)/],
    ['is a directory', async () => dir, /not a regular file|EISDIR/],
    ['is a device', async () => '/dev/zero', /not a regular file/],
    ['holds a key only', async () => files.serverKey, /contains no certificate/],
    [
      'holds rubbish',
      async () => {
        const path = join(dir, 'rubbish.pem');
        await writeFile(path, '-----BEGIN CERTIFICATE-----\nSECRETSECRET\n-----END CERTIFICATE-----\n');
        return path;
      },
      /cannot be used/,
    ],
  ])(
    'a girder.caFile that %s is refused at the start, and nothing of it is shown',
    async (_, path, words) => {
      const opened = openGirderConnections({ caFile: await path() });
      await expect(opened).rejects.toThrow(words);
      await expect(opened).rejects.toMatchObject({
        code: 'config',
        next: expect.stringMatching(/caFile/) as string,
      });
      await expect(opened).rejects.not.toThrow(/SECRET/);
    },
  );
});

describe('the session for job updates', () => {
  test('verify: false accepts any certificate, for job updates only', async () => {
    const { origin } = await startGirder();
    expect(await report(origin, { verify: false })).toEqual({ result: 'go', notes: [] });
  });

  test('verify: a path names the only trusted authority', async () => {
    const { origin } = await startGirder();
    expect(await report(origin, { verify: files.ca })).toEqual({ result: 'go', notes: [] });
    const other = await report(origin, { verify: files.clientCert }, { caFile: files.ca });
    expect(other.result).toMatchObject({ kind: 'unreachable' });
  });

  test('verify: an unusable path is ignored with a note, and the certificate is verified as usual', async () => {
    const { origin } = await startGirder();
    const { result, notes } = await report(origin, { verify: join(dir, 'none.pem') });
    expect(result).toMatchObject({ kind: 'unreachable' });
    expect(notes).toEqual([expect.stringMatching(/"verify".*ignored.*none\.pem cannot be used/)]);
  });

  test.each<[string, () => unknown]>([
    ['a pair', () => [files.clientCert, files.clientKey]],
    ['one file', () => files.client],
  ])('cert: %s is shown to Girder', async (_, cert) => {
    const { origin, clientNames } = await startGirderThatAsks();
    expect(await report(origin, { verify: files.ca, cert: cert() })).toEqual({ result: 'go', notes: [] });
    expect(clientNames).toContain('client');
  });

  test('cert: without its key it is ignored with a note', async () => {
    const { origin } = await startGirder();
    const { result, notes } = await report(origin, { verify: files.ca, cert: files.clientCert });
    expect(result).toBe('go');
    expect(notes).toEqual([expect.stringMatching(/"cert".*ignored/)]);
  });

  test('auth, headers and params are sent with each request; the headers of the job override them', async () => {
    const { origin, heard } = await startGirder();
    const { result, notes } = await report(origin, {
      verify: files.ca,
      auth: ['ada', 'pä:ss'],
      headers: { 'X-Site': 'one', 'girder-token': 'OTHER', Host: 'evil', 'bad\nname': 'x', fine: 'a\r\nb' },
      params: { via: 'proxy', n: 1, odd: {} },
    });
    expect(result).toBe('go');
    expect(heard[0]?.headers).toMatchObject({
      'x-site': 'one',
      'girder-token': 'JOBTOKEN',
      authorization: `Basic ${Buffer.from('ada:pä:ss').toString('base64')}`,
    });
    expect(heard[0]?.headers['host']).toBe(new URL(origin).host);
    expect(heard[0]?.query.toString()).toBe('via=proxy&n=1');
    expect(notes).toHaveLength(3);
    expect(notes.join(' ')).not.toMatch(/evil|OTHER|pä/);
  });

  test.each(['https', 'http'])('proxies: %s requests use the proxy for that scheme', async (scheme) => {
    const secure = await startGirder();
    const plain = await startScriptedServer(answer);
    onTestFinished(plain.close);
    const { origin } = scheme === 'https' ? secure : plain;
    const proxy = await startProxy();
    const proxies = { [scheme]: proxy.url.replace('//', '//user:word@') };
    expect(await report(origin, { verify: files.ca, proxies })).toEqual({ result: 'go', notes: [] });
    expect(proxy.asked[0]).toContain(new URL(origin).host);
    expect(proxy.credentials[0]).toBe(`Basic ${Buffer.from('user:word').toString('base64')}`);
  });

  test('unsupported options are listed once, whatever their names', () => {
    const { notes } = readSession({
      trust_env: false,
      max_redirects: 3,
      cookies: {},
      verify: 7,
      cert: ['a', 'b'],
      auth: 'x',
      proxies: { https: 'socks5://x' },
      ['\u001b[2J'.repeat(50)]: 1,
      hooks: null,
    });
    expect(notes).toHaveLength(8);
    expect(notes.join('')).not.toMatch(/\p{Cc}/u);
    expect(notes[0]).toBe(
      'The option "trust_env" of the session for job updates is ignored: it is not supported.',
    );
  });
});

describe('addresses', () => {
  test('an API URL under a path prefix', async () => {
    const server = await startScriptedServer(answer);
    onTestFinished(server.close);
    expect(await report(server.origin, undefined, { prefix: '/pathology/girder' })).toMatchObject({
      result: 'go',
    });
    expect(server.heard[0]?.path).toBe('/pathology/girder/api/v1/job/j');
    const client = clientFor({ apiUrl: `${server.origin}/girder/api/v1/`, token: 'T' }, await site());
    await client.json(z.unknown(), { method: 'GET', path: 'item/1' });
    expect(server.heard.at(-1)?.path).toBe('/girder/api/v1/item/1');
  });

  test.each([301, 302, 307, 308])(
    '%i from http to https of one host keeps method, body and token',
    async (code) => {
      const secure = await startGirder();
      const first = await startScriptedServer((response, { path }) => {
        response.writeHead(code, { location: `${secure.origin}${path}` }).end();
      });
      onTestFinished(first.close);
      const client = createGirderClient({
        ...(await site(files.ca)),
        apiUrl: `${first.origin}/api/v1`,
        token: 'T',
      });
      await client.json(z.unknown(), { method: 'PUT', path: 'job/j', form: { log: 'a' } });
      expect(secure.heard[0]).toMatchObject({ method: 'PUT', path: '/api/v1/job/j' });
      expect(secure.heard[0]?.body.toString()).toBe('log=a');
      expect(secure.heard[0]?.headers['girder-token']).toBe('T');
    },
  );

  test('a 303 response to a modifying request is an error', async () => {
    const server = await startScriptedServer((response, { path }) => {
      if (path === '/page') sendJson(response, { status: 2 });
      else response.writeHead(303, { location: '/page' }).end();
    });
    onTestFinished(server.close);
    const client = createGirderClient({ ...(await site()), apiUrl: server.origin, token: 'T' });
    const asked = client.json(z.unknown(), { method: 'PUT', path: 'job/j', form: { log: 'a' } });
    await expect(asked).rejects.toMatchObject({ kind: 'not-girder', status: 303 });
    expect(await client.json(z.unknown(), { method: 'GET', path: 'job/j' })).toMatchObject({ status: 2 });
  });

  test('session options and client certificate are not used for a redirect to another host', async () => {
    const other = await startScriptedServer(answer);
    onTestFinished(other.close);
    const first = await startGirder({
      script: (response) => response.writeHead(302, { location: `${other.origin}/x` }).end(),
    });
    const client = createGirderClient({
      ...(await site()),
      apiUrl: first.origin,
      token: 'T',
      headers: { authorization: 'Basic x' },
      params: { secret: 'y' },
      connection: { insecure: true },
    });
    await client.json(z.unknown(), { method: 'GET', path: 'file/1/download' });
    expect(other.heard[0]?.headers).not.toHaveProperty('girder-token');
    expect(other.heard[0]?.headers).not.toHaveProperty('authorization');
    expect(other.heard[0]?.query.size).toBe(0);
  });
});

test('the number of dispatchers is limited, and closing one does not break its requests', async () => {
  const server = await startScriptedServer(answer);
  const connections = createGirderConnections();
  onTestFinished(async () => {
    await connections.close();
    await server.close();
  });
  const first = connections.dispatcher({ proxy: 'http://127.0.0.1:1' });
  for (let n = 0; n < 100; n += 1) connections.dispatcher({ proxy: `http://127.0.0.1:${n + 2}` });
  expect(connections.dispatcher({ proxy: 'http://127.0.0.1:1' })).not.toBe(first);
  const usual = connections.dispatcher();
  expect(connections.dispatcher({})).toBe(usual);
});

async function startGirderThatAsks(): Promise<{ origin: string; clientNames: string[] }> {
  const clientNames: string[] = [];
  const { origin } = await startGirder({
    wantsCertificate: true,
    script: (response, heard) => {
      const socket = response.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } };
      clientNames.push(socket.getPeerCertificate().subject?.CN ?? '');
      return answer(response, heard);
    },
  });
  return { origin, clientNames };
}

/** A proxy that supports CONNECT and plain forwarding. */
async function startProxy(): Promise<{ url: string; asked: string[]; credentials: (string | undefined)[] }> {
  const asked: string[] = [];
  const credentials: (string | undefined)[] = [];
  const note = ({ url = '', headers }: IncomingMessage): void => {
    asked.push(url);
    credentials.push(headers['proxy-authorization']);
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    note(request);
    const onward = forward(request.url ?? '', { method: request.method, headers: request.headers }, (got) => {
      response.writeHead(got.statusCode ?? 0, got.headers);
      got.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request, socket, head) => {
    note(request);
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, credentials };
}
