import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { hostname } from 'node:os';

import { errorLine } from '../../base/errors.js';
import { programVersion } from '../../base/version.js';
import { isPrivate, readAddress, type Address } from './address.js';
import { readLines, toLine } from './lines.js';
import { limits, message, protocol, type Hello, type Message } from './protocol.js';

/** A connection to a worker that has welcomed us. */
export interface Connection {
  path: string;
  pid: number;
  socket: Socket;
  /** What the worker says from now on. Throws when it says something that makes no sense. */
  messages: AsyncGenerator<Message, void, undefined>;
}

/** What comes of looking for the worker of a state directory. */
export type OpenedConnection =
  | { kind: 'welcome'; connection: Connection }
  /** Nobody listens here. */
  | { kind: 'absent' }
  /** It listens on another host, where this program does not run. */
  | { kind: 'elsewhere'; pid: number; host: string }
  /** It is there, but does not want us or does not answer. */
  | { kind: 'refused'; said: string };

export interface OpenConnectionOptions {
  stateDirectory: string;
  readOnly: boolean;
  /** How long a worker may take to say hello. */
  patienceMs: number;
}

/** Looks for the worker of a state directory and says hello to it. Never throws. */
export async function openConnection({
  stateDirectory,
  readOnly,
  patienceMs,
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
    const first = await messages.next();
    if (first.done === true) throw new Error('It has hung up.');
    if (first.value.say === 'welcome') {
      socket.setTimeout(limits.silenceMs);
      const { pid } = first.value;
      return { kind: 'welcome', connection: { path: address.path, pid, socket, messages } };
    }
    socket.destroy();
    const said = first.value.say === 'refused' ? first.value.said : 'It did not say hello.';
    return { kind: 'refused', said };
  } catch (error) {
    socket.destroy();
    return {
      kind: 'refused',
      said: `The worker, process ${address.pid}, cannot be asked: ${errorLine(error)}`,
    };
  }
}

/** Null where nobody takes the call. */
async function dial({ path }: Address): Promise<Socket | null> {
  if (!(await isPrivate(path))) return null;
  const socket = createConnection(path);
  // what goes wrong later is told to whoever reads
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
