import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import { closestMatch } from '../../config/config-error.js';
import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import type { DoctorPort } from '../state/doctor-state.js';
import { onPreferences, type Preferences } from '../state/preferences.js';
import { keyLabel } from '../terminal/keys.js';
import type { MouseEvent } from '../terminal/mouse.js';
import { rowAt, tabAt } from '../views/hit.js';
import {
  contextBelow,
  contextOf,
  isWorkerMissing,
  lostWorker,
  tableOf,
  type Context,
} from '../state/state.js';
import { currentView } from '../views/tables/all-tables.js';
import { complete, matchingCommands, namedCommands, parseCommandLine } from './command-line.js';
import { commandForKey } from './command-table.js';
import { tableContexts } from './table/definition.js';
import { openedMenu } from './table/questions.js';
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
import { createNodeCommands } from './node-commands.js';
import { createLogCommands } from './log-commands.js';
import { createQuitController } from './quit-controller.js';
import { createRowActionController } from './row-action-controller.js';
import { createSearchController } from './search-controller.js';
import { createTableCommands } from './table-commands.js';

/** How long a message stays that is not an error. */
const messageMs = 6_000;
/** Rows that one turn of the wheel scrolls. */
const wheelSteps = 3;
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
  mouse(event: MouseEvent): void;
  /** Pasted text is only ever text for the line being typed, never a key. */
  paste(text: string): void;
}

/** Here, any key without a meaning answers no. */
const questions: readonly Context[] = ['confirm', 'quit', 'quitCancel', 'start', 'pause'];

/** Here, any key without a meaning is text. */
const typingContexts: readonly Context[] = ['filter', 'command', 'search', 'helpSearch'];

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
        const { ok, message } = await request();
        notify(ok ? 'good' : 'bad', message);
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
    host,
    nodes: createNodeCommands({ handle, store, notify, showAnswer }),
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
    else if (typingContexts.includes(before)) typeKey(key, context.line);
    else if (before === 'help') runFromHelp(key);
    else if (before === 'menu') openedMenu(context).choose(key);
    else if (questions.includes(before)) store.dispatch({ type: 'back' });
    else if (readOnly && commandForKey(key, before, false) !== null) sayReadOnly(key, before, notify);
    else if (tableContexts.includes(before)) context.tables.sortByLetter(key);
    const after = contextOf(store.get());
    return after === before || !(after === 'menu' || questions.includes(after));
  };

  /** The help only explains: the keys of the view below it work. */
  const runFromHelp = (key: string): void => {
    const { readOnly } = store.get();
    const below = contextBelow(store.get());
    if (commandForKey(key, below, false) === null) return;
    store.dispatch({ type: 'back' });
    const command = commandForKey(key, below, readOnly);
    if (command === null) sayReadOnly(key, below, notify);
    else command.run(context, []);
  };

  /** On a tab: opens it. On a row: selects it, or opens the selected one. */
  const click = ({ column, row }: MouseEvent): void => {
    const state = store.get();
    if (state.overlay.kind !== 'none') return;
    const tab = row === 0 ? tabAt(state, column) : null;
    if (tab !== null) return void pressOne(tab);
    const index = rowAt(state, column, row);
    if (index === null) return;
    if (index === tableOf(state).position.index) context.tables.open();
    else store.dispatch({ type: 'rowClicked', index });
  };

  return {
    press(keys) {
      store.dispatch({ type: 'keyPressed' });
      for (const key of keys) if (!pressOne(key)) return;
    },
    mouse(event) {
      store.dispatch({ type: 'keyPressed' });
      if (event.kind === 'press') return click(event);
      const move = event.kind === 'wheelUp' ? 'up' : 'down';
      const isScrollable = store.get().overlay.kind === 'none' || store.get().overlay.kind === 'help';
      if (isScrollable)
        for (let step = 0; step < wheelSteps; step += 1) store.dispatch({ type: 'cursorMoved', move });
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
      const { overlay } = store.get();
      if (before !== null) store.dispatch({ type: 'lineSet', text: before + text });
      else if (overlay.kind === 'help' && overlay.typing)
        store.dispatch({ type: 'helpSearched', query: overlay.query + text, typing: true });
      else if (store.get().overlay.kind === 'filter') store.dispatch({ type: 'filterTyped', text });
    },
    erase() {
      const { overlay } = store.get();
      if (overlay.kind === 'help') {
        const query = Array.from(overlay.query).slice(0, -1).join('');
        return store.dispatch({ type: 'helpSearched', query, typing: true });
      }
      const text = Array.from(typed() ?? '')
        .slice(0, -1)
        .join('');
      return store.dispatch({ type: 'lineSet', text });
    },
    keepHelpSearch() {
      const { overlay } = store.get();
      if (overlay.kind === 'help')
        store.dispatch({ type: 'helpSearched', query: overlay.query, typing: false });
    },
    moveInPalette(direction) {
      const { overlay, readOnly } = store.get();
      if (overlay.kind !== 'command') return;
      const { length } = matchingCommands(overlay.text, readOnly);
      if (length === 0) return;
      const from = overlay.index ?? (direction > 0 ? -1 : length);
      store.dispatch({ type: 'paletteMoved', index: (from + direction + length) % length });
    },
    complete() {
      const state = store.get();
      const { columnIds } = currentView(state).table;
      const text = complete(typed() ?? '', { readOnly: state.readOnly, columnIds });
      store.dispatch({ type: 'lineSet', text });
    },
    runCommand() {
      const { overlay, readOnly } = store.get();
      const index = overlay.kind === 'command' ? overlay.index : null;
      const chosen = index === null ? undefined : matchingCommands(typed() ?? '', readOnly)[index];
      if (chosen === undefined) return close(submit.runCommand);
      // a command that needs a value is only completed
      if (chosen.argument.startsWith('<') || chosen.argument.includes('|'))
        return store.dispatch({ type: 'lineSet', text: `${chosen.name} ` });
      return close(() => submit.runCommand(chosen.name));
    },
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
  const names = namedCommands(readOnly).flatMap((one) => [one.name, ...one.aliases]);
  const meant = closestMatch(name, names) ?? matchingCommands(name, readOnly)[0]?.name;
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
          return { ok: true, message: await start() };
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
