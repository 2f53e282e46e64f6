import { expect, test, vi } from 'vitest';

import { untilSignal } from '../../../src/cli/signals.js';
import { listenForEnd } from '../../../src/sandbox/releasers.js';

const receive = (): boolean => process.emit('SIGHUP', 'SIGHUP');

test('one signal stops in order, although the caller passes it on as an abort; the second one kills', async () => {
  const killNow = vi.fn<() => void>();
  const stop = new AbortController();
  // The caller's own answer to a second signal is to end this process.
  const target = { on: process.on.bind(process), off: process.off.bind(process), kill: vi.fn(), pid: 1 };
  await untilSignal(async (signal) => {
    const unlisten = listenForEnd(stop, [{ stop: async () => undefined, killNow }], signal);
    receive();
    expect(stop.signal.aborted).toBe(true);
    expect(killNow).not.toHaveBeenCalled();
    receive();
    expect(killNow).toHaveBeenCalledOnce();
    unlisten();
  }, target as never);
  expect(process.listenerCount('SIGHUP')).toBe(0);
});
