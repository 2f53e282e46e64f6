import { chmod } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';

import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { programVersion } from '../../base/version.js';
import type { WorkerHandle } from '../views/handle.js';
import {
  newCookie,
  removeAddress,
  removeSocket,
  socketPaths,
  writeAddress,
  type Address,
} from './address.js';
import { toLine } from './lines.js';
import { limits, type Message } from './protocol.js';
import { handleConnection } from './connection-handler.js';

/**
 * Lets consoles of the same user attach to a worker, over a socket that only this user can reach. The caller holds the lock of the
 * state directory. If there is no place for a socket, this is logged and the worker runs without one.
 * @returns says goodbye to the clients and stops; never rejects
 */
export async function listenForClients(
  stateDirectory: string,
  handle: WorkerHandle,
  log: Log,
): Promise<() => Promise<void>> {
  const leaving = new AbortController();
  const clients = new Map<Socket, Promise<void>>();
  const cookie = newCookie();
  const identity = { pid: process.pid, host: hostname() };
  const served = { handle, cookie, version: programVersion(), log, ...identity };

  const server = createServer((socket) => {
    // errors end `handleConnection` too
    socket.on('error', () => socket.destroy());
    if (leaving.signal.aborted || clients.size >= limits.clients) {
      const reason = `${limits.clients} consoles are attached already, which is the maximum.`;
      // read what it sent: with unread data, closing would reset the connection and lose the message
      socket.resume();
      socket.end(toLine({ say: 'refused', id: null, reason } satisfies Message));
      return;
    }
    const done = handleConnection(socket, served, leaving.signal).finally(() => clients.delete(socket));
    clients.set(socket, done);
  });
  server.on('error', (error) => log.warn({ why: errorLine(error) }, 'error of the socket for consoles'));

  let address: Address | null = null;
  try {
    address = { path: await listenSomewhere(server, stateDirectory), cookie, ...identity };
    await writeAddress(stateDirectory, address);
  } catch (error) {
    log.warn({ why: errorLine(error) }, 'no console can attach to this worker');
  }

  return async () => {
    leaving.abort('The worker has stopped; its jobs continue.');
    server.close();
    const hard = setTimeout(() => {
      for (const socket of clients.keys()) socket.destroy();
    }, 1_000);
    await Promise.allSettled(clients.values());
    clearTimeout(hard);
    if (address !== null) await removeAddress(stateDirectory, address).catch(() => undefined);
  };
}

/** @returns the path of the socket. @throws the last error if there is no place for one */
async function listenSomewhere(server: Server, stateDirectory: string): Promise<string> {
  let why: unknown = new Error('every path for a socket would be too long');
  for await (const path of socketPaths(stateDirectory)) {
    try {
      server.listen(path);
      await once(server, 'listening');
      await chmod(path, 0o600);
      return path;
    } catch (error) {
      // the file system may not support sockets
      why = error;
      await removeSocket(path);
    }
  }
  throw why;
}
