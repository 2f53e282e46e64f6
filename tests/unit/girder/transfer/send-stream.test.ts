import { once } from 'node:events';

import { afterEach, expect, it } from 'vitest';

import type { Clock } from '../../../../src/base/clock.js';
import { sendStream } from '../../../../src/girder/transfer/send-stream.js';
import {
  createTestSetup,
  sendJson,
  startScriptedServer,
  type Script,
} from '../../../support/scripted-http.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A clock whose sleeps end when the test says so, or on abort. */
function heldClock(): Clock & { asleep: Set<number>; wake: () => void } {
  const asleep = new Set<number>();
  let wakers: (() => void)[] = [];
  return {
    asleep,
    wake: () => wakers.forEach((wake) => wake()),
    now: () => 0,
    monotonic: () => 0,
    async sleep(ms, signal) {
      asleep.add(ms);
      await new Promise<void>((resolve) => {
        wakers.push(resolve);
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
      asleep.delete(ms);
      wakers = [];
    },
  };
}

async function bench(script: Script) {
  const server = await startScriptedServer(script);
  const clock = heldClock();
  const setup = { ...createTestSetup(), clock, signal: new AbortController().signal };
  closers.push(server.close, async () => setup.connections.close());
  const sink = { kind: 'http' as const, url: `${server.origin}/x?key=SECRET`, headers: {} };
  return {
    ...server,
    clock,
    send: async (pieces: AsyncIterable<Uint8Array>) => sendStream(sink, pieces, setup),
  };
}

async function* whole() {
  yield Buffer.from('all');
}

it('a receiver that does not respond after the last chunk times out after two minutes', async () => {
  const { clock, send, heard } = await bench(() => undefined);
  const sent = send(whole());
  const given = expect(sent).rejects.toThrow(/could not be sent: 127\.0\.0\.1:\d+ does not accept it/);
  await expect.poll(() => heard.length).toBe(1);
  expect([...clock.asleep]).toEqual([120_000]);
  clock.wake();
  await given;
});

it('a container that is silent for a long time does not cause a timeout', async () => {
  const { clock, send, heard } = await bench((response) => sendJson(response, {}));
  const goOn = new AbortController();
  let taken = false;
  const sent = send(
    (async function* () {
      yield Buffer.from('first ');
      taken = true;
      await once(goOn.signal, 'abort');
      yield Buffer.from('second');
    })(),
  );
  await expect.poll(() => taken).toBe(true);
  // the receiver has nothing to do now
  await expect.poll(() => clock.asleep.size).toBe(0);
  goOn.abort();
  await sent;
  expect(heard.map(({ body }) => body.toString())).toEqual(['first second']);
});

it.each([300, 304, 500])('a status of %i is an error', async (status) => {
  const { send } = await bench((response) => response.writeHead(status).end());
  await expect(send(whole())).rejects.toThrow(new RegExp(`answered ${status}`));
});
