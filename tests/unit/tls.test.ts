import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { systemClock } from '../../src/base/clock.js';
import { errorLine } from '../../src/base/errors.js';
import { withBroker } from '../../src/doctor/clients/broker.js';
import { ping } from '../../src/doctor/checks/mongo/ping.js';
import { createGirderClient } from '../../src/girder/api/client.js';
import { openGirderConnections } from '../../src/girder/api/connections.js';
import { makeCertificates, type Certificates } from '../support/certificates.js';
import { ask, settingsWith } from '../support/doctor.js';
import { startMongoDouble } from '../support/mongo-double.js';
import { createTestSetup } from '../support/scripted-http.js';

let dir: string;
let files: Certificates;
const closers: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-tls-'));
  files = await makeCertificates(dir);
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

type Which = 'server' | 'stranger' | 'expired';

/** A server with one of the certificates; `onSocket` gets what is said once the client has accepted it. */
async function serve(
  which: Which,
  onSocket: (socket: TLSSocket) => void,
  options: TlsOptions = {},
): Promise<number> {
  const [cert, key] = await Promise.all([readFile(files[`${which}Cert`]), readFile(files[`${which}Key`])]);
  const open = new Set<Socket>();
  const server = createServer({ cert, key, ...options }, (socket) => {
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => void server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** What comes of talking to such a server, and what it heard of us. */
interface Talk {
  message: string;
  heard: string;
}

const secret = 'hunter2-of-the-broker';

const clients: Record<string, (which: Which, trusted: boolean) => Promise<Talk>> = {
  async amqps(which, trusted) {
    let heard = '';
    const port = await serve(which, (socket) =>
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1');
        socket.destroy();
      }),
    );
    const url = `amqps://dsa:${secret}@127.0.0.1:${port}/`;
    const message = await withBroker(
      { url, signal: AbortSignal.timeout(20_000), clock: systemClock, caFile: trusted ? files.ca : null },
      async () => 'open',
    ).catch(errorLine);
    return { message, heard };
  },
  async https(which, trusted) {
    let heard = '';
    const port = await serve(which, (socket) =>
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1');
        socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
      }),
    );
    const connections = await openGirderConnections({ caFile: trusted ? files.ca : null });
    closers.push(async () => connections.close());
    const apiUrl = `https://127.0.0.1:${port}/api/v1`;
    const client = createGirderClient({ ...createTestSetup(), connections, apiUrl, token: secret });
    const message = await client
      .json(z.object({}), { method: 'GET', path: 'system/version', attempts: 1 })
      .then(() => 'open')
      .catch(errorLine);
    return { message, heard };
  },
  async 'mongodb with tls=true'(which, trusted) {
    let heard = '';
    const double = await startMongoDouble((_, name) =>
      name === 'buildInfo'
        ? { version: '6.0.1' }
        : name === 'ping'
          ? {}
          : { cursor: { id: 0n, ns: 'girder.x', firstBatch: [] } },
    );
    closers.push(double.close);
    const port = await serve(which, (socket) => {
      heard = 'something';
      const behind = connect(double.port, '127.0.0.1');
      behind.on('error', () => undefined);
      socket.pipe(behind).pipe(socket);
    });
    const ca = trusted ? `&tlsCAFile=${files.ca}` : '';
    const settings = settingsWith({ 'mongo.uri': `mongodb://127.0.0.1:${port}/girder?tls=true${ca}` });
    const { status, evidence, fix } = await ask(ping, { settings });
    return { message: [status === 'ok' ? 'open' : status, ...evidence, fix].join(' '), heard };
  },
};

describe.each(Object.entries(clients))('%s', (_, talk) => {
  test('takes a certificate that a trusted authority vouches for', async () => {
    const { message, heard } = await talk('server', true);
    expect(heard).not.toBe('');
    expect(message).not.toMatch(/certificate/i);
  });

  test.each<[string, Which, boolean, RegExp]>([
    ['an authority that is not trusted', 'server', false, /(unable to verify|self.signed|unable to get)/i],
    ['another host name', 'stranger', true, /does not match certificate/i],
    ['an end that is over', 'expired', true, /certificate has expired/i],
  ])('refuses one with %s, says so, and sends nothing', async (_name, which, trusted, words) => {
    const { message, heard } = await talk(which, trusted);
    expect(message).toMatch(words);
    expect(message).toMatch(/certificate/i);
    expect(message).toMatch(/broker\.caFile|girder\.caFile|tlsCAFile/);
    expect(message).not.toContain(secret);
    expect(heard).toBe('');
  });
});

/** What comes of a connection to a broker at `url`. */
const askBroker = async (url: string, more: object = {}): Promise<string> =>
  withBroker(
    { url, signal: AbortSignal.timeout(20_000), clock: systemClock, caFile: files.ca, ...more },
    async () => 'open',
  ).catch(errorLine);

describe('amqps', () => {
  test('shows the certificate of the settings to a broker that wants one', async () => {
    const authorized: boolean[] = [];
    const wantsOne = { requestCert: true, rejectUnauthorized: false, ca: await readFile(files.ca) };
    const port = await serve(
      'server',
      (socket) => {
        authorized.push(socket.authorized);
        socket.destroy();
      },
      wantsOne,
    );
    const url = `amqps://dsa:${secret}@127.0.0.1:${port}/`;
    await askBroker(url);
    await askBroker(url, { certFile: files.serverCert, keyFile: files.serverKey });
    expect(authorized).toEqual([false, true]);
    expect(await askBroker(url, { certFile: files.serverCert, keyFile: files.expiredKey })).toContain(
      'cannot be used',
    );
  });

  test('is proposed to who writes amqp:// for the port of TLS', async () => {
    const port = await serve('server', () => undefined);
    expect(await askBroker(`amqp://dsa:${secret}@127.0.0.1:${port}/`)).toContain('amqps://');
  });
});
