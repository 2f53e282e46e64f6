import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import { closestMatch } from '../../config/config-error.js';
import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import type { DoctorPort } from '../state/doctor-state.js';
import { onPreferences, type Preferences } from '../state/preferences.js';
import { keyLabel } from '../terminal/keys.js';
import { contextOf, isWorkerMissing, lostWorker, type Context } from '../state/state.js';
import { currentView } from '../views/tables/all-tables.js';
import { complete, namedCommands, parseCommandLine } from './command-line.js';
import { commandForKey } from './command-table.js';
import type {
  CommandContext,
  HostServices,
  LineEditor,
  Notify,
  QuitChoice,
  ShowAnswer,
  WorkerCommands,
} from './command.js';
import { createBatchCommands } from './batch-commands.js';
import { createDoctorCommands } from './doctor-commands.js';
import { createLogCommands } from './log-commands.js';
import { createQuitController } from './quit-controller.js';
import { createRowActionController } from './row-action-controller.js';
import { createSearchController } from './search-controller.js';
import { createTableCommands } from './table-commands.js';

/** How long a message stays that is not an error. */
const messageMs = 6_000;
/** Longest time that a worker may take to start. */
const startingMs = 90_000;

export interface ControllerOptions {
  handle: WorkerHandle;
  store: Store;
  clock: Clock;
  /** Called once the operator has decided to quit. */
  quit: (choice: QuitChoice) => void;
  host: HostServices;
  /** Loads the doctor when it is first needed; absent: this console has none. */
  doctor?: (() => Promise<DoctorPort>) | undefined;
  /** Aborts when the console closes. */
  signal?: AbortSignal;
  onPreferences?: (preferences: Preferences) => void;
  /** Starts a worker as a service and resolves with a message; absent: not possible here. */
  startWorker?: (() => Promise<string>) | undefined;
}

/** Turns keys into commands. */
export interface Controller {
  /** @param keys the keys of one input event, in order */
  press(keys: readonly string[]): void;
  /** Pasted text is only ever text for the line being typed, never a key. */
  paste(text: string): void;
}

/** Here, any key without a meaning answers no. */
const questions: readonly Context[] = ['confirm', 'quit', 'quitCancel', 'start', 'pause'];

export function createController(options: ControllerOptions): Controller {
  const { handle, store, clock, quit, host } = options;
  if (options.onPreferences !== undefined) onPreferences(store, options.onPreferences);
  const notify: Notify = (tone, text) => {
    const until = tone === 'bad' ? null : clock.now() + messageMs;
    store.dispatch({ type: 'messageShown', message: { tone, text, until } });
  };
  const showAnswer: ShowAnswer = (request) => {
    void (async () => {
      try {
        const { ok, said } = await request();
        notify(ok ? 'good' : 'bad', said);
      } catch (thrown) {
        notify('bad', errorLine(thrown));
      }
    })();
  };

  const context: CommandContext = {
    state: store.get,
    dispatch: store.dispatch,
    notify,
    tables: createTableCommands({ store, host, notify, showAnswer }),
    logs: createLogCommands({ handle, store, host, notify }),
    search: createSearchController(store, notify),
    doctor: createDoctorCommands({
      store,
      clock,
      load: options.doctor,
      signal: options.signal ?? new AbortController().signal,
      notify,
    }),
    batches: createBatchCommands({ handle, store, host, notify, showAnswer }),
    rowActions: createRowActionController({ handle, store, notify, showAnswer }),
    quit: createQuitController({ handle, store, notify, showAnswer, quit }),
    worker: workerCommands({ handle, store, clock, notify, showAnswer, start: options.startWorker }),
    line: createLineEditor(store, {
      runCommand: (text) => runCommandLine(text, context),
      search: (text) => context.search.search(text),
    }),
  };

  /** @returns false if a question has appeared: keys typed ahead must not answer it */
  const pressOne = (key: string): boolean => {
    const { readOnly } = store.get();
    const before = contextOf(store.get());
    const command = commandForKey(key, before, readOnly);
    if (command !== null) command.run(context, []);
    else if (before === 'filter' || before === 'command' || before === 'search') typeKey(key, context.line);
    else if (before === 'menu') context.rowActions.choose(key);
    else if (questions.includes(before)) store.dispatch({ type: 'back' });
    else if (readOnly && commandForKey(key, before, false) !== null) sayReadOnly(key, before, notify);
    else if (before === 'table' || before === 'list' || before === 'batches' || before === 'doctor')
      context.tables.sortByLetter(key);
    const after = contextOf(store.get());
    return after === before || !(after === 'menu' || questions.includes(after));
  };

  return {
    press(keys) {
      store.dispatch({ type: 'keyPressed' });
      for (const key of keys) if (!pressOne(key)) return;
    },
    paste: (text) => context.line.insert(text.split(/[\r\n]/u)[0] ?? ''),
  };
}

function sayReadOnly(key: string, context: Context, notify: Notify): void {
  const name = commandForKey(key, context, false)?.help ?? '';
  notify('warning', `This console is read-only: ${keyLabel(key)} does nothing here (${name}).`);
}

/** Types a printable key. The names of other keys are longer than one character. */
function typeKey(key: string, line: LineEditor): void {
  if (key === 'space') line.insert(' ');
  else if (Array.from(key).length === 1) line.insert(key);
}

function createLineEditor(
  store: Store,
  submit: { runCommand: (text: string) => void; search: (text: string) => void },
): LineEditor {
  const typed = (): string | null => {
    const { overlay } = store.get();
    return overlay.kind === 'command' || overlay.kind === 'search' ? overlay.text : null;
  };
  const close = (then: (text: string) => void): void => {
    const text = typed();
    if (text === null) return;
    store.dispatch({ type: 'back' });
    then(text);
  };
  return {
    insert(text) {
      const before = typed();
      if (before !== null) store.dispatch({ type: 'lineSet', text: before + text });
      else if (store.get().overlay.kind === 'filter') store.dispatch({ type: 'filterTyped', text });
    },
    erase() {
      const text = Array.from(typed() ?? '')
        .slice(0, -1)
        .join('');
      store.dispatch({ type: 'lineSet', text });
    },
    complete() {
      const state = store.get();
      const { columnIds } = currentView(state).table;
      const text = complete(typed() ?? '', { readOnly: state.readOnly, columnIds });
      store.dispatch({ type: 'lineSet', text });
    },
    runCommand: () => close(submit.runCommand),
    startSearch: () => close(submit.search),
  };
}

function runCommandLine(line: string, context: CommandContext): void {
  if (line.trim() === '') return;
  const { readOnly } = context.state();
  const parsed = parseCommandLine(line, readOnly);
  if (parsed !== null) return parsed.command.run(context, parsed.words);
  const reason = readOnly && parseCommandLine(line, false) !== null ? ' This console is read-only.' : '';
  const [name = ''] = line.trim().split(/\s+/u);
  const meant = closestMatch(
    name,
    namedCommands(readOnly).flatMap((one) => [one.name, ...one.aliases]),
  );
  const hint = meant === undefined ? 'Press ? for the list.' : `Did you mean :${meant}?`;
  return context.notify('bad', `Unknown command "${name}".${reason === '' ? ` ${hint}` : reason}`);
}

function workerCommands({
  handle,
  store,
  clock,
  notify,
  showAnswer,
  start,
}: {
  handle: WorkerHandle;
  store: Store;
  clock: Clock;
  notify: Notify;
  showAnswer: ShowAnswer;
  start: ControllerOptions['startWorker'];
}): WorkerCommands {
  const pause = (): void => showAnswer(async () => handle.pause());
  const resume = (): void => showAnswer(async () => handle.resume());
  const changePace = (change: 'more' | 'less'): void => {
    const { pace } = handle;
    if (pace === undefined)
      notify('warning', 'The poll interval of a worker service cannot be changed here.');
    else showAnswer(async () => pace(change));
  };
  let isStarting = false;
  return {
    askStart() {
      const { snapshot } = store.get();
      if (!isWorkerMissing(snapshot)) notify('warning', 'There is a worker already.');
      else if (start === undefined) notify('warning', 'This console cannot start a worker.');
      else if (isStarting) notify('warning', 'The worker is starting already.');
      else store.dispatch({ type: 'startOpened' });
    },
    start() {
      store.dispatch({ type: 'back' });
      if (start === undefined || isStarting) return;
      isStarting = true;
      store.dispatch({
        type: 'messageShown',
        message: { tone: 'warning', text: 'Starting the worker …', until: clock.now() + startingMs },
      });
      showAnswer(async () => {
        try {
          return { ok: true, said: await start() };
        } finally {
          isStarting = false;
        }
      });
    },
    pause,
    resume,
    togglePause() {
      const { snapshot } = store.get();
      if (['paused', 'draining'].includes(snapshot.health.intake)) resume();
      // without a worker, the answer says so
      else if (isWorkerMissing(snapshot) || lostWorker(snapshot) !== null) pause();
      else store.dispatch({ type: 'pauseOpened' });
    },
    drain: () => showAnswer(async () => handle.drain()),
    pollLessOften: () => changePace('less'),
    pollMoreOften: () => changePace('more'),
  };
}
