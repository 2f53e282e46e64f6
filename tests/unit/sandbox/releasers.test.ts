import { EventEmitter } from 'node:events';
import { onTestFinished, expect, test, vi } from 'vitest';

import { untilSignal } from '../../../src/cli/signals.js';
import { listenForEnd } from '../../../src/sandbox/releasers.js';

/** Stands in for this process, where Ink, if another test has loaded it, ends the process at a signal of its own accord. */
function interceptSignals(): EventEmitter {
  const signals = new EventEmitter();
  const intercept = (method: 'on' | 'off'): void => {
    const spy = vi.spyOn(process, method).mockImplementation((name, listener) => {
      signals[method](name, listener);
      return process;
    });
    onTestFinished(() => spy.mockRestore());
  };
  intercept('on');
  intercept('off');
  return signals;
}

test('one signal stops in order, although the caller passes it on as an abort; the second one kills', async () => {
  const signals = interceptSignals();
  const killNow = vi.fn<() => void>();
  const stop = new AbortController();
  const target = {
    on: process.on.bind(process),
    off: process.off.bind(process),
    // The caller's own answer to a second signal is to end this process.
    kill: vi.fn<NodeJS.Process['kill']>(),
    pid: 1,
  };
  await untilSignal(async (signal) => {
    const unlisten = listenForEnd(stop, [{ stop: async () => undefined, killNow }], signal);
    signals.emit('SIGHUP', 'SIGHUP');
    expect(stop.signal.aborted).toBe(true);
    expect(killNow).not.toHaveBeenCalled();
    signals.emit('SIGHUP', 'SIGHUP');
    expect(killNow).toHaveBeenCalledOnce();
    expect(target.kill).toHaveBeenCalledWith(1, 'SIGHUP');
    unlisten();
  }, target);
  expect(signals.eventNames()).toEqual([]);
});
