import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { hostname } from 'node:os';

import { errorLine } from '../../base/errors.js';
import { programVersion } from '../../base/version.js';
import { isPrivate, readAddress, type Address } from './address.js';
import { readLines, toLine } from './lines.js';
import { limits, message, protocol, type Hello, type Message } from './protocol.js';

/** A connection that the worker has accepted. */
export interface Connection {
  path: string;
  pid: number;
  socket: Socket;
  /** Messages after the welcome. Throws for an invalid message. */
  messages: AsyncGenerator<Message, void, undefined>;
}

/** The result of {@link openConnection}. */
export type OpenedConnection =
  | { kind: 'welcome'; connection: Connection }
  /** No worker listens on this host. */
  | { kind: 'absent' }
  /** A worker listens on another host. */
  | { kind: 'elsewhere'; pid: number; host: string }
  /** A worker listens, but rejects the connection or does not answer. */
  | { kind: 'refused'; message: string };

export interface OpenConnectionOptions {
  stateDirectory: string;
  readOnly: boolean;
  /** Milliseconds to wait for the worker's welcome. */
  patienceMs: number;
  /** Called when the worker has been asked, and prepares its answer. */
  onAsked?: () => void;
}

/** Connects to the worker of a state directory. Never throws. */
export async function openConnection({
  stateDirectory,
  readOnly,
  patienceMs,
  onAsked,
}: OpenConnectionOptions): Promise<OpenedConnection> {
  const address = await readAddress(stateDirectory);
  if (address === null) return { kind: 'absent' };
  const socket = await dial(address);
  if (socket === null) {
    const { pid, host } = address;
    return host === hostname() ? { kind: 'absent' } : { kind: 'elsewhere', pid, host };
  }
  const messages = readMessages(socket);
  try {
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('It does not answer.')));
    socket.write(
      toLine({
        hello: 'dsa-slurm',
        protocol,
        version: programVersion(),
        cookie: address.cookie,
        readOnly,
      } satisfies Hello),
    );
    onAsked?.();
    const first = await messages.next();
    if (first.done === true) throw new Error('It closed the connection.');
    if (first.value.say === 'welcome') {
      socket.setTimeout(limits.silenceMs);
      const { pid } = first.value;
      return { kind: 'welcome', connection: { path: address.path, pid, socket, messages } };
    }
    socket.destroy();
    const message = first.value.say === 'refused' ? first.value.reason : 'It did not answer with a welcome.';
    return { kind: 'refused', message };
  } catch (error) {
    socket.destroy();
    return {
      kind: 'refused',
      message: `The worker, process ${address.pid}, cannot be reached: ${errorLine(error)}`,
    };
  }
}

/** Null if nothing listens. */
async function dial({ path }: Address): Promise<Socket | null> {
  if (!(await isPrivate(path))) return null;
  const socket = createConnection(path);
  // later errors are thrown to the reader
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return null;
  }
}

async function* readMessages(socket: Socket): AsyncGenerator<Message, void, undefined> {
  for await (const line of readLines(socket, () => limits.messageBytes)) {
    yield message.parse(JSON.parse(line));
  }
}
