import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { render, type Instance, type SuspendTerminal } from 'ink';
import { systemClock, type Clock } from '../base/clock.js';
import type { WorkerHandle } from '../worker/views/handle.js';
import { App } from './terminal/app.js';
import { createController } from './commands/controller.js';
import { subscribeStore } from './data/store-subscriptions.js';
import type { QuitChoice } from './commands/command.js';
import { openPager } from './commands/pager.js';
import { initialState } from './state/reducer.js';
import type { DoctorPort } from './state/doctor-state.js';
import type { Preferences } from './state/preferences.js';
import type { WorkerLifetime, Size } from './state/state.js';
import { saveExport } from './data/save-export.js';
import { createStore } from './state/store.js';
import type { Store } from './state/action.js';
import { mouseReports } from './terminal/mouse.js';
import { requireTerminal } from './terminal/require-terminal.js';
import { createThemes } from './terminal/theme.js';

export interface ConsoleOptions {
  /** The worker to show. The console neither starts nor stops it. */
  handle: WorkerHandle;
  /** Shown on the right of the first line, for example `sandbox`. */
  title?: string;
  /** Resolves with a new title and a message that stays until a key is pressed. */
  notice?: Promise<{ title: string; message: string }>;
  /** No command affects jobs or the worker. */
  readOnly?: boolean;
  stdin?: NodeJS.ReadStream;
  stdout?: NodeJS.WriteStream;
  /** Uses `NO_COLOR`, `TERM`, `PAGER` and `INK_SCREEN_READER`. */
  env: Readonly<Record<string, string | undefined>>;
  /** Closes the console without a question, for example on SIGTERM. */
  signal?: AbortSignal;
  /** What happens to the worker when the console closes. Default: `ends`. */
  workerLifetime?: WorkerLifetime;
  clock?: Clock;
  /** Another program got the terminal or gave it back. While it owns the terminal, Ctrl-C is meant for it. */
  onSuspended?: (suspended: boolean) => void;
  /** Loads the doctor; absent: this console has none. */
  doctor?: () => Promise<DoctorPort>;
  /** Starts a worker as a service, if none runs; resolves with a message. Absent: not possible here. */
  startWorker?: () => Promise<string>;
  /** Stops this process for the shell, and resolves when it continues. */
  stopProcess?: () => Promise<void>;
  preferences?: Preferences;
  onPreferences?: (preferences: Preferences) => void;
}

/** Frames per second. A key is answered at once; further changes within a frame's time are drawn together. */
const maxFps = 60;

/**
 * Shows a worker until the operator quits, `signal` aborts or the terminal closes. Always restores the terminal.
 * @returns the operator's choice for the worker, which the caller carries out; null if the signal or the terminal closed
 *   the console
 * @throws DsaSlurmError `usage` without a terminal
 */
export async function runConsole(options: ConsoleOptions): Promise<QuitChoice | null> {
  const { handle, title, readOnly, workerLifetime, env, signal, clock = systemClock } = options;
  const { stopProcess = stopUntilContinued } = options;
  const { stdin = process.stdin, stdout = process.stdout } = options;
  requireTerminal(stdin, stdout);
  const themes = createThemes(env);
  const store = createStore(
    initialState({
      snapshot: handle.snapshot(),
      now: clock.now(),
      size: sizeOf(stdout),
      ...(title === undefined ? {} : { title }),
      ...(readOnly === undefined ? {} : { readOnly }),
      ...(workerLifetime === undefined ? {} : { workerLifetime }),
      defaultTheme: themes(null).name,
      canStart: options.startWorker !== undefined && readOnly !== true,
      ...(options.preferences === undefined ? {} : { preferences: options.preferences }),
    }),
  );
  // registered before Ink's listener, so that Ink draws the new size at once
  const resized = (): void => store.dispatch({ type: 'resized', size: sizeOf(stdout) });
  stdout.on('resize', resized);
  const unsubscribe = subscribeStore(handle, store, clock);
  void showNotice(options.notice, store);
  const closed = new AbortController();
  let suspend: SuspendTerminal | null = null;
  const setSuspended = (suspended: boolean): void => {
    store.dispatch({ type: 'suspendChanged', suspended });
    options.onSuspended?.(suspended);
  };
  /** Calls `work` while the terminal is as it was before. */
  const lendTerminal = async (work: () => Promise<void>): Promise<void> => {
    setSuspended(true);
    try {
      await suspend?.(async () => {
        await stopReading(stdin);
        await work();
      });
    } finally {
      setSuspended(false);
    }
  };
  const showInPager = async (path: string): Promise<string | null> => {
    let error: string | null = null;
    await lendTerminal(async () => {
      error = await openPager(path, { env, readOnly: readOnly === true, signal });
    });
    return error;
  };
  // another process has stopped this one, and its shell has used the screen since
  const redraw = (): void => {
    if (!store.get().suspended) void lendTerminal(async () => undefined);
  };
  let choice: QuitChoice | null = null;
  let screen: Instance | null = null;
  const close = (): void => screen?.unmount();
  const controller = createController({
    handle,
    store,
    clock,
    signal: closed.signal,
    doctor: options.doctor,
    startWorker: options.startWorker,
    host: {
      saveFile: saveExport,
      openPager: showInPager,
      ...(workerLifetime === 'continues' ? { suspend: async () => lendTerminal(stopProcess) } : {}),
      // OSC 52: the clipboard belongs to the terminal, not to this host
      copyToClipboard: (text) => stdout.write(`\u001B]52;c;${Buffer.from(text).toString('base64')}\u0007`),
    },
    ...(options.onPreferences === undefined ? {} : { onPreferences: options.onPreferences }),
    quit(chosen) {
      choice = chosen;
      close();
    },
  });
  // before the first frame, which the terminal's echo of a key would scroll; Ink ends the raw mode
  stdin.setRawMode(true);
  try {
    // screen readers and dumb terminals read line by line, on the main screen
    const isScreenReaderEnabled = env['INK_SCREEN_READER'] === 'true';
    const alternateScreen = env['TERM'] !== 'dumb' && !isScreenReaderEnabled;
    const app = (
      <App
        store={store}
        controller={controller}
        themes={themes}
        onSuspendReady={(suspendTerminal) => (suspend = suspendTerminal)}
      />
    );
    screen = render(app, {
      stdin,
      stdout,
      interactive: true,
      exitOnCtrlC: false,
      alternateScreen,
      isScreenReaderEnabled,
      incrementalRendering: true,
      maxFps,
    });
    const stopMouse = alternateScreen ? reportMouse(store, stdout) : () => undefined;
    process.on('SIGCONT', redraw);
    const removeListeners = closeOnExit(stdin, stdout, signal, close);
    try {
      await screen.waitUntilExit();
    } finally {
      process.off('SIGCONT', redraw);
      removeListeners();
      stopMouse();
      screen.unmount();
    }
  } finally {
    closed.abort();
    unsubscribe();
    stdout.off('resize', resized);
  }
  return choice;
}

/** Has the terminal report the mouse while the operator wants it. @returns a function that stops it */
function reportMouse(store: Store, stdout: NodeJS.WriteStream): () => void {
  let isOn = false;
  const set = (wanted: boolean): void => {
    if (wanted === isOn) return;
    isOn = wanted;
    stdout.write(mouseReports(wanted));
  };
  const update = (): void => set(store.get().mouse && !store.get().suspended);
  const unsubscribe = store.subscribe(update);
  update();
  return () => {
    unsubscribe();
    set(false);
  };
}

async function showNotice(notice: ConsoleOptions['notice'], store: Store): Promise<void> {
  try {
    const resolved = await notice;
    if (resolved === undefined) return;
    store.dispatch({ type: 'titleChanged', title: resolved.title });
    store.dispatch({ type: 'messageShown', message: { tone: 'good', text: resolved.message, until: null } });
  } catch {
    // the caller handles the rejection of its own promise
  }
}

/**
 * When suspended, Ink only removes its listener: Node would continue to read and swallow the keys of the other program. A
 * stream can be paused only without listeners, which it notices a tick later.
 */
async function stopReading(stdin: NodeJS.ReadStream): Promise<void> {
  await new Promise(setImmediate);
  stdin.pause();
  await new Promise(setImmediate);
}

/** After this time without being continued, the process was not stopped: no shell controls it. */
const stopMs = 500;

/** Stops the job of the shell that this process belongs to, as Ctrl-Z does without raw mode. */
async function stopUntilContinued(): Promise<void> {
  const over = new AbortController();
  const continued = once(process, 'SIGCONT', { signal: over.signal }).catch(() => undefined);
  process.kill(0, 'SIGTSTP');
  await Promise.race([continued, delay(stopMs)]);
  over.abort();
}

function sizeOf(stdout: NodeJS.WriteStream): Size {
  // some terminals report 0
  return { columns: stdout.columns || 80, rows: stdout.rows || 24 };
}

/**
 * Closes the console when the terminal closes or the caller aborts. Also closes it before an uncaught exception is printed, so
 * that the stack trace appears on the main screen.
 */
function closeOnExit(
  stdin: NodeJS.ReadStream,
  stdout: NodeJS.WriteStream,
  signal: AbortSignal | undefined,
  close: () => void,
): () => void {
  stdin.on('end', close).on('close', close).on('error', close);
  stdout.on('close', close).on('error', close);
  signal?.addEventListener('abort', close);
  process.on('uncaughtExceptionMonitor', close);
  if (signal?.aborted === true) close();
  return () => {
    stdin.off('end', close).off('close', close).off('error', close);
    stdout.off('close', close).off('error', close);
    signal?.removeEventListener('abort', close);
    process.off('uncaughtExceptionMonitor', close);
  };
}
