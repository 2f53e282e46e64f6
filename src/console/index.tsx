import { render, type Instance, type SuspendTerminal } from 'ink';
import { systemClock, type Clock } from '../base/clock.js';
import type { WorkerHandle } from '../worker/views/handle.js';
import { App } from './terminal/app.js';
import { createController } from './commands/controller.js';
import { startFeed } from './data/store-subscriptions.js';
import type { QuitWish } from './commands/quit-controller.js';
import { openPager } from './commands/pager.js';
import { initialState } from './state/reducer.js';
import type { DoctorPort } from './state/doctor-state.js';
import type { Preferences } from './state/preferences.js';
import type { Afterwards, Size } from './state/state.js';
import { saveExport } from './data/save-export.js';
import { createStore, type Store } from './state/store.js';
import { requireTerminal } from './terminal/require-terminal.js';
import { chooseTheme } from './terminal/theme.js';

export interface ConsoleOptions {
  /** The worker to look at. The console neither starts nor stops it. */
  handle: WorkerHandle;
  /** Shown at the right of the first line, for what is special about this console: `practice site`. */
  title?: string;
  /** Something that the operator has to hear, once it resolves: the new title, and a message that stays until a key. */
  news?: Promise<{ title: string; message: string }>;
  /** No key acts on jobs or on the worker. */
  readOnly?: boolean;
  stdin?: NodeJS.ReadStream;
  stdout?: NodeJS.WriteStream;
  /** `NO_COLOR`, `TERM`, `PAGER` and `INK_SCREEN_READER` are read. */
  env: Readonly<Record<string, string | undefined>>;
  /** Closes the console without a question, as for SIGTERM. */
  signal?: AbortSignal;
  /** What becomes of the worker when the console closes; `stops` unless something else is said. */
  afterwards?: Afterwards;
  clock?: Clock;
  /** Another program has the terminal, or no longer: meanwhile Ctrl-C is for that one. */
  onLent?: (lent: boolean) => void;
  /** Loads the doctor of the view of that name; absent: there is none. */
  doctor?: () => Promise<DoctorPort>;
  /** As the operator left the console, and how to remember it. */
  preferences?: Preferences;
  onPreferences?: (preferences: Preferences) => void;
}

/**
 * Shows a worker until the user quits, the `signal` aborts or the terminal goes away. The terminal is given back on every
 * path. What becomes of the worker is the caller's business.
 * @returns what the user wants for the worker; null where nobody decided: the signal or the terminal ended it
 * @throws DsaSlurmError `usage` without a terminal
 */
export async function runConsole(options: ConsoleOptions): Promise<QuitWish | null> {
  const { handle, title, readOnly, afterwards, env, signal, clock = systemClock } = options;
  const { stdin = process.stdin, stdout = process.stdout } = options;
  requireTerminal(stdin, stdout);
  const theme = chooseTheme(env);
  const store = createStore(
    initialState({
      snapshot: handle.snapshot(),
      now: clock.now(),
      size: sizeOf(stdout),
      ...(title === undefined ? {} : { title }),
      ...(readOnly === undefined ? {} : { readOnly }),
      ...(afterwards === undefined ? {} : { afterwards }),
      ...(options.preferences === undefined ? {} : { preferences: options.preferences }),
    }),
  );
  // Before Ink listens, so that Ink draws a frame of the new size at once.
  const resized = (): void => store.dispatch({ type: 'resized', size: sizeOf(stdout) });
  stdout.on('resize', resized);
  const stopFeed = startFeed(handle, store, clock);
  void tellNews(options.news, store);
  const over = new AbortController();
  let suspend: SuspendTerminal | null = null;
  const lend = (lent: boolean): void => {
    store.dispatch({ type: 'lent', lent });
    options.onLent?.(lent);
  };
  /** Shows a file in the pager. It has the terminal meanwhile, and the screen is drawn anew afterwards. */
  const page = async (path: string): Promise<string | null> => {
    let trouble: string | null = null;
    lend(true);
    try {
      await suspend?.(async () => {
        await stopReading(stdin);
        trouble = await openPager(path, { env, readOnly: readOnly === true, signal });
      });
    } finally {
      lend(false);
    }
    return trouble;
  };
  let wish: QuitWish | null = null;
  let screen: Instance | null = null;
  const close = (): void => screen?.unmount();
  const controller = createController({
    handle,
    store,
    clock,
    over: over.signal,
    doctor: options.doctor,
    outside: {
      save: saveExport,
      page,
      // OSC 52: the terminal, not this host, has the clipboard
      copy: (text) => stdout.write(`\u001B]52;c;${Buffer.from(text).toString('base64')}\u0007`),
    },
    ...(options.onPreferences === undefined ? {} : { onPreferences: options.onPreferences }),
    quit(decided) {
      wish = decided;
      close();
    },
  });
  try {
    // A screen reader reads what Ink writes for it. Neither it nor a dumb terminal has a use for a second screen.
    const isScreenReaderEnabled = env['INK_SCREEN_READER'] === 'true';
    const alternateScreen = env['TERM'] !== 'dumb' && !isScreenReaderEnabled;
    const painted = alternateScreen;
    const app = (
      <App
        store={store}
        controller={controller}
        theme={theme}
        painted={painted}
        onTerminal={(way) => (suspend = way)}
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
      maxFps: 30,
    });
    const stopWatching = watchEnds(stdin, stdout, signal, close);
    try {
      await screen.waitUntilExit();
    } finally {
      stopWatching();
      screen.unmount();
    }
  } finally {
    over.abort();
    stopFeed();
    stdout.off('resize', resized);
  }
  return wish;
}

async function tellNews(news: ConsoleOptions['news'], store: Store): Promise<void> {
  try {
    const told = await news;
    if (told === undefined) return;
    store.dispatch({ type: 'titled', title: told.title });
    store.dispatch({ type: 'said', message: { tone: 'good', text: told.message, until: null } });
  } catch {
    // whoever made the promise hears of it
  }
}

/**
 * Ink lets go of the keyboard by taking its listener away, and Node would go on reading: the keys that are meant for another
 * program would be lost. Only a stream that nobody listens to can be paused, and that it notices a tick later.
 */
async function stopReading(stdin: NodeJS.ReadStream): Promise<void> {
  await new Promise(setImmediate);
  stdin.pause();
  await new Promise(setImmediate);
}

function sizeOf(stdout: NodeJS.WriteStream): Size {
  // Zero is what a terminal says that does not know.
  return { columns: stdout.columns || 80, rows: stdout.rows || 24 };
}

/**
 * A terminal that is closed, or a caller that has to stop, ends the console; neither is an error of ours. A defect that nobody
 * catches is one: what is said of it shall be read on the shell's screen, and ours goes away before.
 */
function watchEnds(
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
