import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../../src/base/clock.js';
import { withBroker } from '../../../../src/doctor/clients/broker.js';

let server: Server | undefined;
afterEach(() => void server?.close());

/** A method frame of AMQP 0-9-1 on channel 0. */
function method(classId: number, methodId: number, ...fields: readonly Buffer[]): Buffer {
  const ids = Buffer.alloc(4);
  ids.writeUInt16BE(classId, 0);
  ids.writeUInt16BE(methodId, 2);
  const payload = Buffer.concat([ids, ...fields]);
  const header = Buffer.alloc(7);
  header.writeUInt8(1, 0);
  header.writeUInt32BE(payload.length, 3);
  return Buffer.concat([header, payload, Buffer.from([0xce])]);
}

function longString(text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, Buffer.from(text)]);
}

/** A broker that accepts a connection and then says nothing more. */
async function silentBroker(): Promise<{ url: string; socket: Promise<Socket> }> {
  server = createServer();
  const socket = once(server, 'connection').then(([accepted]: Socket[]) => {
    if (accepted === undefined) throw new Error('no connection');
    const steps: readonly Buffer[] = [
      method(10, 10, Buffer.from([0, 9, 0, 0, 0, 0]), longString('PLAIN'), longString('en_US')),
      method(10, 30, Buffer.from([0, 0, 0, 2, 0, 0, 0, 60])),
      method(10, 41, Buffer.from([0])),
    ];
    let next = 0;
    accepted.on('data', () => {
      const step = steps[next];
      next += 1;
      if (step !== undefined) accepted.write(step);
    });
    return accepted;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `amqp://127.0.0.1:${port}/`, socket };
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

it('leaves no timer behind if the broker does not answer the close', async () => {
  const { url, socket } = await silentBroker();
  const before = timers();
  const { signal } = new AbortController();
  const result = await withBroker({ url, signal, clock: systemClock }, async () => 'used');
  expect(result).toBe('used');
  await once(await socket, 'close');
  expect(timers()).toBeLessThanOrEqual(before);
});
