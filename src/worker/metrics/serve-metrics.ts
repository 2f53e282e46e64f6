import { chmod, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { DsaSlurmError, errorLine } from '../../base/errors.js';

/** What OpenMetrics prescribes. */
const contentType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/**
 * Serves text at `/metrics`.
 * @param listen a path of a Unix socket, which only this user can reach, or `127.0.0.1:9464`; the setting refuses other hosts
 * @returns stops this; never rejects
 * @throws DsaSlurmError `config` if it cannot listen there
 */
export async function serveMetrics(listen: string, render: () => string): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405).end();
    else if (path !== '/metrics') response.writeHead(404).end('See /metrics.\n');
    else response.writeHead(200, { 'Content-Type': contentType }).end(render());
  });
  server.maxConnections = 16;
  server.requestTimeout = 10_000;
  const isPath = listen.startsWith('/');
  try {
    if (isPath) {
      // left by a worker that was killed
      if ((await stat(listen).catch(() => null))?.isSocket() === true) await rm(listen);
      // private from the beginning
      const before = process.umask(0o177);
      try {
        server.listen(listen);
      } finally {
        process.umask(before);
      }
    } else {
      const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(listen) ?? [];
      server.listen(Number(port), host.replace(/^\[(.*)\]$/, '$1'));
    }
    await once(server, 'listening');
    if (isPath) await chmod(listen, 0o600);
  } catch (error) {
    server.close();
    throw new DsaSlurmError('config', `Metrics cannot be served at ${listen}: ${errorLine(error)}.`, {
      next: 'Choose another address: dsa-slurm config set metrics.listen <address>',
      cause: error,
    });
  }
  return async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
}
