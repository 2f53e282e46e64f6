import nodeConsole from 'node:console';
import { EventEmitter } from 'node:events';
import { cleanup, render } from 'ink-testing-library';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { App } from '../../../src/console/terminal/app.js';
import { createController } from '../../../src/console/commands/controller.js';
import { coalesce, subscribeStore } from '../../../src/console/data/store-subscriptions.js';
import { runConsole, type ConsoleOptions } from '../../../src/console/index.js';
import { requireTerminal } from '../../../src/console/terminal/require-terminal.js';
import { initialState } from '../../../src/console/state/reducer.js';
import { createStore } from '../../../src/console/state/store.js';
import { createThemes } from '../../../src/console/terminal/theme.js';
import { fakeRunDetail } from '../../support/fake-watched.js';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../support/fake-worker-handle.js';

function busyWorker(): FakeWorker {
  const worker = createFakeWorker(Date.now());
  worker.show({
    runs: [
      fakeRun({ id: 'run-1', stage: 'running', jobId: '4711', title: 'Liver' }),
      fakeRun({ id: 'run-2', stage: 'accepted', acceptedAt: 1, title: 'Lung' }),
    ],
    jobs: { rows: [fakeJob({ id: '4711' })] },
    health: { inFlight: 2 },
  });
  return worker;
}

function open(worker: FakeWorker) {
  const store = createStore(
    initialState({ snapshot: worker.snapshot(), now: Date.now(), size: { columns: 100, rows: 24 } }),
  );
  const quit = vi.fn<() => void>();
  const controller = createController({
    handle: worker,
    store,
    clock: systemClock,
    quit,
    signal: new AbortController().signal,
    host: { saveFile: async (name) => name, copyToClipboard: () => undefined, openPager: async () => null },
  });
  const stop = subscribeStore(worker, store, systemClock);
  const screen = render(
    <App store={store} controller={controller} themes={createThemes({ NO_COLOR: '1' })} />,
  );
  const sees = async (text: string | RegExp): Promise<void> =>
    vi.waitFor(() => expect(screen.lastFrame()).toMatch(text), { timeout: 5_000 });
  return { ...screen, stop, sees, quit };
}

/** The part of a terminal that Ink uses, in memory. */
function fakeTerminal() {
  let written = '';
  let typed: string | null = null;
  const raw: boolean[] = [];
  let writtenBeforeRaw: string | null = null;
  const stdin = Object.assign(new EventEmitter(), {
    isTTY: true,
    setRawMode(mode: boolean) {
      if (raw.length === 0) writtenBeforeRaw = written;
      raw.push(mode);
    },
    setEncoding() {},
    ref() {},
    unref() {},
    pause() {},
    resume() {},
    read() {
      const text = typed;
      typed = null;
      return text;
    },
  });
  const stdout = Object.assign(new EventEmitter(), {
    isTTY: true,
    columns: 80,
    rows: 24,
    write(text: string, ...rest: unknown[]) {
      written += text;
      const done = rest.at(-1);
      if (typeof done === 'function') done();
      return true;
    },
  });
  return {
    streams: { stdin, stdout } as unknown as Required<Pick<ConsoleOptions, 'stdin' | 'stdout'>>,
    stdin,
    stdout,
    raw,
    writtenBeforeRaw: () => writtenBeforeRaw,
    written: () => written,
    type(text: string) {
      typed = text;
      stdin.emit('readable');
    },
  };
}

const begun = async (terminal: ReturnType<typeof fakeTerminal>): Promise<void> =>
  vi.waitFor(() => expect(terminal.written()).toContain('intake open'));

const restored = (terminal: ReturnType<typeof fakeTerminal>): void => {
  expect(terminal.written()).toContain('\u001B[?1049h');
  expect(terminal.written().lastIndexOf('\u001B[?1049l')).toBeGreaterThan(
    terminal.written().lastIndexOf('\u001B[?1049h'),
  );
  expect(terminal.written().lastIndexOf('\u001B[?25h')).toBeGreaterThan(
    terminal.written().lastIndexOf('\u001B[?25l'),
  );
  // the echo of a key that is typed early would scroll the first frame
  expect(terminal.writtenBeforeRaw()).toBe('');
  expect(terminal.raw.at(-1)).toBe(false);
};

describe('the app', { timeout: 20_000 }, () => {
  afterEach(cleanup);

  test('shows worker updates and reacts to keys', async () => {
    const worker = busyWorker();
    const { stdin, sees, stop, lastFrame, quit } = open(worker);
    await sees(/▸● RUNNING +4711/u);
    stdin.write('\u001B[B');
    await sees(/▸○ accepted/u);
    worker.show({
      runs: [
        ...worker.snapshot().runs,
        fakeRun({ id: 'run-3', stage: 'running', acceptedAt: 2, title: 'Kidney' }),
      ],
    });
    await sees('Kidney');
    expect(lastFrame()).toMatch(/▸○ accepted/u);
    stdin.write('x');
    await sees('Cancel this run?');
    await sees('Title   Lung');
    stdin.write('y');
    await sees('Cancel run run-2 NucleiDetection: accepted');
    expect(worker.commands).toEqual(['cancel run-2']);
    stdin.write('\u0003');
    await sees('Quit? 2 runs are in flight.');
    stdin.write('\u0003');
    await vi.waitFor(() => expect(quit).toHaveBeenCalledOnce());
    stop();
  });

  test('follows the log of the selected run only while the pane is open', async () => {
    const worker = busyWorker();
    const { stdin, sees, stop } = open(worker);
    expect(worker.following()).toEqual([]);
    stdin.write('l');
    await sees('The log is empty so far');
    worker.write('run-1', { lines: ['first line', '\u001B[31mred line\u001B[0m'], lost: 0 });
    await sees(/first line\n.*red line/u);
    await sees('2 lines · following');
    stdin.write('\t');
    stdin.write('j');
    await vi.waitFor(() => expect(worker.following()).toEqual(['run-2']));
    stdin.write('l');
    await vi.waitFor(() => expect(worker.following()).toEqual([]));
    stop();
    expect(worker.listeners()).toBe(0);
  });
});

test('live views are subscribed to only while they are visible', () => {
  const worker = busyWorker();
  const store = createStore(
    initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 100, rows: 24 } }),
  );
  const stop = subscribeStore(worker, store, systemClock);
  try {
    expect(worker.watching()).toEqual([]);
    store.dispatch({ type: 'navigated', place: { view: 'worker', top: 0 } });
    expect(worker.watching()).toEqual(['worker']);
    store.dispatch({ type: 'helpOpened' });
    expect(worker.watching()).toEqual(['worker']);
    store.dispatch({ type: 'navigated', place: { view: 'jobs' } });
    expect(worker.watching()).toEqual([]);
    store.dispatch({ type: 'navigated', place: { view: 'worker', top: 0 } });
  } finally {
    stop();
  }
  expect(worker.watching()).toEqual([]);
});

test('coalesce makes the first and the last of rapid calls', () => {
  vi.useFakeTimers();
  try {
    const act = vi.fn<() => void>();
    const calls = coalesce(act, 100);
    for (let ms = 0; ms < 1_000; ms += 1) {
      calls.call();
      vi.advanceTimersByTime(1);
    }
    expect(act.mock.calls.length).toBeLessThanOrEqual(11);
    vi.advanceTimersByTime(200);
    const settled = act.mock.calls.length;
    vi.advanceTimersByTime(10_000);
    expect(act).toHaveBeenCalledTimes(settled);
    calls.call();
    calls.call();
    calls.stop();
    vi.advanceTimersByTime(1_000);
    expect(act).toHaveBeenCalledTimes(settled + 1);
  } finally {
    vi.useRealTimers();
  }
});

describe('requireTerminal', () => {
  test.each([
    [false, true, 'standard input is not one'],
    [true, false, 'standard output is not one'],
    [undefined, undefined, 'standard input is not one'],
  ])('input %s, output %s', (input, output, sentence) => {
    const stdin = input === undefined ? {} : { isTTY: input };
    const stdout = output === undefined ? {} : { isTTY: output };
    expect(() => requireTerminal(stdin, stdout)).toThrow(sentence);
    try {
      requireTerminal(stdin, stdout);
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: 'usage', next: expect.stringContaining('dsa-slurm worker') });
    }
  });

  test('accepts a terminal', () => {
    expect(() => requireTerminal({ isTTY: true }, { isTTY: true })).not.toThrow();
  });
});

/** The output of a running console when one number changes. */
async function writtenForAChange(env: Record<string, string>): Promise<string> {
  const terminal = fakeTerminal();
  const worker = busyWorker();
  const stop = new AbortController();
  const over = runConsole({ handle: worker, env, signal: stop.signal, ...terminal.streams });
  await begun(terminal);
  const before = terminal.written().length;
  worker.show({ health: { inFlight: 1 } });
  await vi.waitFor(() => expect(terminal.written().length).toBeGreaterThan(before));
  const change = terminal.written().slice(before);
  stop.abort();
  await over;
  return change;
}

describe('runConsole', { timeout: 20_000 }, () => {
  // Vitest's console lacks what Ink needs to capture stray output
  beforeEach(() => vi.stubGlobal('console', nodeConsole));
  afterEach(() => vi.unstubAllGlobals());

  test('resolves when the user quits, with the terminal restored and no listeners left', async () => {
    const worker = createFakeWorker(Date.now());
    const terminal = fakeTerminal();
    const over = runConsole({ handle: worker, env: {}, ...terminal.streams });
    await begun(terminal);
    terminal.type('q');
    expect(await over).toBe('leave');
    restored(terminal);
    expect(worker.listeners()).toBe(0);
    expect(terminal.stdout.listenerCount('resize')).toBe(0);
  });

  test.each<[string, (terminal: ReturnType<typeof fakeTerminal>, abort: AbortController) => void]>([
    ['the caller stops it', (_, abort) => abort.abort()],
    ['the terminal is closed', ({ stdin }) => stdin.emit('end')],
    ['the terminal cannot be written any more', ({ stdout }) => stdout.emit('error', new Error('EIO'))],
  ])('resolves without a question when %s', async (_, happens) => {
    const terminal = fakeTerminal();
    const abort = new AbortController();
    const over = runConsole({
      handle: busyWorker(),
      env: {},
      signal: abort.signal,
      ...terminal.streams,
    });
    await begun(terminal);
    happens(terminal, abort);
    expect(await over).toBeNull();
    restored(terminal);
  });

  test('restores the terminal and reports an exception while drawing', async () => {
    const terminal = fakeTerminal();
    const worker = busyWorker();
    const over = runConsole({ handle: worker, env: {}, ...terminal.streams });
    await begun(terminal);
    const broken = Object.defineProperty(fakeJob({ id: '9', startedAt: 1 }), 'elapsed', {
      get: () => {
        throw new Error('a defect');
      },
    });
    worker.show({ jobs: { rows: [broken] } });
    await expect(over).rejects.toThrow('a defect');
    restored(terminal);
    expect(worker.listeners()).toBe(0);
  });

  test('uses neither the alternate screen nor colors on a dumb terminal', async () => {
    const terminal = fakeTerminal();
    const over = runConsole({ handle: createFakeWorker(), env: { TERM: 'dumb' }, ...terminal.streams });
    await begun(terminal);
    terminal.type('q');
    await over;
    expect(terminal.written()).not.toContain('\u001B[?1049h');
    expect(terminal.written()).not.toContain('\u001B[3');
  });

  test('draws nothing while the pager owns the terminal, and redraws afterwards', async () => {
    const terminal = fakeTerminal();
    const worker = busyWorker();
    worker.details.runs.set('run-1', fakeRunDetail(fakeRun({ id: 'run-1' }), { logFile: '/dev/null' }));
    let during = '';
    const lent: boolean[] = [];
    const over = runConsole({
      handle: worker,
      env: { PAGER: 'true', PATH: process.env['PATH'] },
      onSuspended(now) {
        lent.push(now);
        if (!now) return;
        during = terminal.written();
        worker.show({ health: { inFlight: 7 } });
      },
      ...terminal.streams,
    });
    await begun(terminal);
    terminal.type('o');
    await vi.waitFor(() => expect(lent).toEqual([true, false]), { timeout: 10_000 });
    await vi.waitFor(() => expect(terminal.written().slice(during.length)).toContain('7/1,000 in flight'), {
      timeout: 10_000,
    });
    // the alternate screen was left first, and redrawn completely when entered again
    const since = terminal.written().slice(during.length);
    const [left, entered] = [since.indexOf('\u001B[?1049l'), since.indexOf('\u001B[?1049h')];
    expect(left).toBeGreaterThan(-1);
    expect(entered).toBeGreaterThan(left);
    expect(since.slice(left, entered)).not.toContain('in flight');
    expect(since.slice(entered)).toContain('broker consuming');
    terminal.type('q');
    await vi.waitFor(() => expect(terminal.written()).toContain('Quit?'));
    terminal.type('y');
    await over;
    restored(terminal);
  });

  test('gives the terminal back while it is stopped, and redraws once it continues', async () => {
    const terminal = fakeTerminal();
    let during = '';
    const over = runConsole({
      handle: busyWorker(),
      env: {},
      workerLifetime: 'continues',
      stopProcess: async () => {
        during = terminal.written();
      },
      ...terminal.streams,
    });
    await begun(terminal);
    terminal.type('\u001A');
    await vi.waitFor(() => expect(during).not.toBe(''));
    await vi.waitFor(() => expect(terminal.written().slice(during.length)).toContain('broker consuming'));
    expect(during.lastIndexOf('\u001B[?1049l')).toBeGreaterThan(during.lastIndexOf('\u001B[?1049h'));
    terminal.type('q');
    await over;
    restored(terminal);
  });

  test('redraws when another process has stopped it and it continues', async () => {
    const terminal = fakeTerminal();
    const over = runConsole({
      handle: busyWorker(),
      env: {},
      workerLifetime: 'continues',
      ...terminal.streams,
    });
    await begun(terminal);
    const before = terminal.written().length;
    process.emit('SIGCONT', 'SIGCONT');
    await vi.waitFor(() => expect(terminal.written().slice(before)).toContain('broker consuming'));
    terminal.type('q');
    await over;
    restored(terminal);
  });

  test('does not stop the worker that runs in it', async () => {
    const terminal = fakeTerminal();
    const over = runConsole({ handle: createFakeWorker(), env: {}, ...terminal.streams });
    await begun(terminal);
    terminal.type('\u001A');
    await vi.waitFor(() => expect(terminal.written()).toContain('would also stop the worker'));
    terminal.type('q');
    await over;
    restored(terminal);
  });

  test('writes only changed cells', async () => {
    expect(await writtenForAChange({})).not.toContain('intake open');
  });

  test('writes plain lines without the alternate screen for a screen reader', async () => {
    const terminal = fakeTerminal();
    const over = runConsole({
      handle: busyWorker(),
      env: { INK_SCREEN_READER: 'true' },
      ...terminal.streams,
    });
    await vi.waitFor(() => expect(terminal.written()).toContain('Row 1 of 2'));
    expect(terminal.written()).toMatch(/state: running\r?\njob: 4711/u);
    terminal.type('q');
    await vi.waitFor(() => expect(terminal.written()).toContain('Quit? 2 runs are in flight.'));
    expect(terminal.written()).not.toMatch(/[╭│╰]/u);
    expect(terminal.written()).not.toContain('\u001B[?1049h');
    terminal.type('y');
    await over;
  });

  test('throws a usage error without a terminal and writes nothing', async () => {
    const terminal = fakeTerminal();
    terminal.stdin.isTTY = false;
    await expect(runConsole({ handle: busyWorker(), env: {}, ...terminal.streams })).rejects.toMatchObject({
      code: 'usage',
    });
    expect(terminal.written()).toBe('');
  });
});
