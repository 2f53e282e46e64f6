import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { GirderAccess } from '../../../src/girder/protocol/analysis.js';
import { clientFor } from '../../../src/girder/api/client.js';
import type { TransferContext } from '../../../src/girder/transfer/download.js';
import {
  createTestSetup,
  sendJson,
  startScriptedServer,
  type Heard,
  type Script,
} from '../../support/scripted-http.js';

/** A scripted Girder, a client of it and an empty directory, all removed after the test. */
export async function setUp(script: Script) {
  const server = await startScriptedServer(script);
  const setup = createTestSetup();
  const directory = await mkdtemp(path.join(tmpdir(), 'girder-test-'));
  const access: GirderAccess = { apiUrl: `${server.origin}/api/v1`, token: 'T0KEN' };
  onTestFinished(async () => {
    await setup.connections.close();
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });
  const messages: string[] = [];
  const context: TransferContext = {
    client: clientFor(access, setup),
    clock: setup.clock,
    signal: new AbortController().signal,
    onProgress: (text) => messages.push(text),
  };
  return { ...server, setup, directory, access, context, messages };
}

interface Exchange {
  method: string;
  path: string;
  status: number;
  body: string;
  response: string;
}

/** Requests of the Python worker to a real Girder, and the responses. */
export function recordedExchanges(name: string): Exchange[] {
  const file = new URL(`../../fixtures/contract/http/${name}`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Exchange[];
}

/** Replays the recorded responses; responds 404 to requests that the Python worker never sent. */
export function replay(exchanges: readonly Exchange[]): Script {
  // the first response to each request: later ones include the effects of uploads
  const answers = new Map(
    [...exchanges].reverse().map((exchange) => [requestShape(recordedRequest(exchange)), exchange]),
  );
  return (response, heard) => {
    const exchange = answers.get(requestShape(heard));
    if (exchange === undefined) return sendJson(response, { type: 'rest', message: 'Not recorded.' }, 404);
    response.writeHead(exchange.status).end(exchange.response);
  };
}

export function recordedRequest({
  method,
  path: target,
}: Exchange): Pick<Heard, 'method' | 'path' | 'query'> {
  const url = new URL(target, 'http://here');
  return { method, path: url.pathname, query: url.searchParams };
}

/** A key for equivalent requests: Python repeats an item's id in the query of its files. */
export function requestShape({
  method,
  path: pathname,
  query,
}: Pick<Heard, 'method' | 'path' | 'query'>): string {
  const parameters = [...query]
    .filter(([name]) => name !== 'id')
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return `${method} ${pathname} ${parameters.join('&')}`;
}

/** The peak growth of this process's memory during `work`, in bytes. */
export async function memoryGrowth(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss();
  let highest = before;
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss());
  }, 5);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return highest - before;
}
