import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { BSON, type Document } from 'mongodb';

/** A command's answer; a throw of `{code, codeName, errmsg}` becomes the server's refusal. */
export type MongoScript = (command: Document, name: string) => Document;

const { deserialize, serialize } = BSON;

const opMsg = 2013;

/**
 * A fake MongoDB server. It speaks the wire protocol's OP_MSG (and the legacy OP_QUERY of the first hello) and
 * answers each command by a test's script. It stores nothing.
 */
export async function startMongoDouble(script: MongoScript): Promise<{
  port: number;
  commands: string[];
  close: () => Promise<void>;
}> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const answer = (command: Document): Document => {
    const name = Object.keys(command)[0] ?? '';
    commands.push(name);
    if (/^(hello|isMaster|ismaster)$/.test(name)) {
      return {
        ok: 1,
        helloOk: true,
        ismaster: true,
        isWritablePrimary: true,
        maxBsonObjectSize: 16_777_216,
        maxMessageSizeBytes: 48_000_000,
        maxWriteBatchSize: 100_000,
        localTime: new Date(),
        minWireVersion: 0,
        maxWireVersion: 21,
        saslSupportedMechs: ['SCRAM-SHA-256'],
      };
    }
    if (name === 'endSessions') return { ok: 1 };
    try {
      return { ok: 1, ...script(command, name) };
    } catch (refusal) {
      return { ok: 0, ...(refusal as object) };
    }
  };

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 16 && pending.length >= pending.readInt32LE(0)) {
        const message = pending.subarray(0, pending.readInt32LE(0));
        pending = pending.subarray(message.length);
        socket.write(reply(message, answer));
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function reply(message: Buffer, answer: (command: Document) => Document): Buffer {
  const requestId = message.readInt32LE(4);
  if (message.readInt32LE(12) === opMsg) {
    // flags, then a section of kind 0: the command; document sequences are not understood
    const body = serialize(answer(deserialize(message.subarray(21))));
    const head = Buffer.alloc(21);
    head.writeInt32LE(21 + body.length, 0);
    head.writeInt32LE(requestId, 8);
    head.writeInt32LE(opMsg, 12);
    return Buffer.concat([head, body]);
  }
  // OP_QUERY: flags, collection as a C string, skip, limit, query; answered by OP_REPLY
  const start = message.indexOf(0, 20) + 9;
  const body = serialize(answer(deserialize(message.subarray(start))));
  const head = Buffer.alloc(36);
  head.writeInt32LE(36 + body.length, 0);
  head.writeInt32LE(requestId, 8);
  head.writeInt32LE(1, 12);
  head.writeInt32LE(8, 16);
  head.writeInt32LE(1, 32);
  return Buffer.concat([head, body]);
}
