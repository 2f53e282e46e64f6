import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { makeCertificates } from '../../support/certificates.js';
import { expectStatus, openLab, status, type Lab } from '../../support/lab.js';

/** Girder's name in its own network, not reachable from here. */
const publishedApiUrl = 'http://girder.invalid:8080/api/v1';
const prefix = '/pathology/dsa';

let lab: Lab;
let dir: string;
const servers: Server[] = [];

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  servers.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lab-certificates-'));
  const files = await makeCertificates(dir);
  let girder = '';
  // a reverse proxy with a certificate of a private CA, and Girder under a path prefix
  const secure = await listen(
    createSecureServer(
      { cert: await readFile(files.serverCert), key: await readFile(files.serverKey) },
      (request: IncomingMessage, response: ServerResponse) => {
        const path = (request.url ?? '').replace(prefix, '');
        const { method, headers } = request;
        const onward = forward(new URL(path, girder), { method, headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        });
        onward.on('error', () => response.destroy());
        request.pipe(onward);
      },
    ),
  );
  // and a redirect to it for requests without TLS
  const plain = await listen(
    createServer((request, response) => {
      request.resume();
      response.writeHead(301, { location: `https://${secure}${request.url ?? ''}` }).end();
    }),
  );
  lab = await openLab(
    ({ apiUrl }) => {
      girder = apiUrl;
      return { 'girder.caFile': files.ca, 'girder.apiUrl': `http://${plain}${prefix}/api/v1` };
    },
    { publishedApiUrl },
  );
});

afterAll(async () => {
  await lab.close();
  for (const server of servers) server.close();
  await rm(dir, { recursive: true, force: true });
});

test('an analysis reaches its Girder under another address, with a prefix, behind a redirect and a private authority', async () => {
  const { rootFolderId } = lab.girder;
  const input = await lab.girder.addFile(rootFolderId, 'slide.txt', Buffer.from('tissue'));
  const results = lab.girder.addFolder(rootFolderId, 'results');
  const job = await lab.ended(
    await lab.publish({
      args: ['Copy', { file: input.id, name: 'slide.txt' }, { output: 'copy.txt', toFolder: results.id }],
    }),
  );
  expectStatus(job, status.success);
  expect(await lab.text(results.id, 'copy.txt')).toBe('tissue');
  expect(job.log.join('')).toContain('done: é漢🔬');
});

test('an analysis gets the address that this worker can reach', async () => {
  const results = lab.girder.addFolder(lab.girder.rootFolderId, 'addresses');
  const published = await lab.publish({
    args: ['Show', { output: 'args', toFolder: results.id }, { apiUrl: true }],
  });
  expectStatus(await lab.ended(published), status.success);
  const { apiUrl } = lab.settings.girder;
  expect(await lab.text(results.id, 'args')).toBe(`${apiUrl}/\n`);
});
