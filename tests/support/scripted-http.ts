import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../src/base/clock.js';
import { silentLog } from '../../src/base/log.js';
import type { GirderSetup } from '../../src/girder/api/client.js';
import { createGirderConnections } from '../../src/girder/api/connections.js';

/** Bytes of a body that are remembered: tests of large transfers must not fill the memory that they measure. */
const keptBytes = 4 * 1024 * 1024;

/** A received request. */
export interface Heard {
  method: string;
  /** Path without query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Its beginning, if it is large; `length` counts all of it. */
  body: Buffer;
  length: number;
}

/** The return value is ignored, except that a promise is awaited. */
export type Script = (response: ServerResponse, heard: Heard) => unknown;

/** An HTTP or HTTPS server that follows a test's script and records its requests. */
export async function startScriptedServer(
  script: Script,
  tls: ServerOptions | null = null,
): Promise<{
  /** `http://127.0.0.1:1234` */
  origin: string;
  heard: Heard[];
  close: () => Promise<void>;
}> {
  const heard: Heard[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void (async () => {
      const chunks: Buffer[] = [];
      let length = 0;
      try {
        for await (const chunk of request as AsyncIterable<Buffer>) {
          if (length < keptBytes) chunks.push(chunk);
          length += chunk.length;
        }
      } catch {
        return;
      }
      const url = new URL(request.url ?? '/', 'http://here');
      const entry = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks),
        length,
      };
      heard.push(entry);
      await script(response, entry);
    })();
  };
  const server = tls === null ? createServer(listener) : createSecureServer(tls, listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `${tls === null ? 'http' : 'https'}://127.0.0.1:${port}`,
    heard,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** A clock on which a sleep takes one turn of the event loop, however long it is. */
export function createQuickClock(): Clock & { slept: number[]; setBack: (ms: number) => void } {
  let time = 1_800_000_000_000;
  let setBy = 0;
  const slept: number[] = [];
  return {
    slept,
    setBack(ms) {
      setBy -= ms;
    },
    now: () => time + setBy,
    monotonic: () => time,
    async sleep(ms) {
      slept.push(ms);
      await nextTurn();
      time += ms;
    },
  };
}

/** Dependencies of Girder code, for a test. */
export function createTestSetup(): GirderSetup & { clock: ReturnType<typeof createQuickClock> } {
  return {
    connections: createGirderConnections(),
    apiUrlMap: {},
    clock: createQuickClock(),
    log: silentLog(),
  };
}
