import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import { createActing } from './row-action-controller.js';
import { complete, parseCommandLine } from './command-line.js';
import type { CommandAnswer, WorkerHandle } from '../../worker/views/handle.js';
import type { DoctorPort } from '../state/doctor-state.js';
import { createDoctorCommands } from './doctor-commands.js';
import { commandFor, type Command, type Context, type ViewCommand } from './keys.js';
import { createLeaving, type QuitWish } from './quit-controller.js';
import { actionsOf, rowActionOf, rowActions } from './row-actions.js';
import { onPreferences, type Preferences } from '../state/preferences.js';
import { createLogCommands } from './log-commands.js';
import { jobScopes } from '../state/rows.js';
import { createSeeker } from './search-controller.js';
import { actionRows, contextOf, type Message } from '../state/state.js';
import type { Step } from '../state/cursor-movement.js';
import type { Store } from '../state/store.js';
import { createTableCommands } from './table-commands.js';

/** How long an answer that is no error stays. */
const messageMs = 6_000;

export interface ControllerOptions {
  handle: WorkerHandle;
  store: Store;
  clock: Clock;
  /** The user has decided to leave. */
  quit: (wish: QuitWish) => void;
  /** What the console does outside of the screen. */
  outside: Outside;
  /** Loads the doctor, when it is asked for the first time; absent: there is none. */
  doctor?: (() => Promise<DoctorPort>) | undefined;
  /** Aborts when the console ends. */
  over?: AbortSignal;
  /** The operator would like to see things in another way from now on. */
  onPreferences?: (preferences: Preferences) => void;
}

/** What the console may do besides drawing; it has no I/O of its own. */
export interface Outside {
  /** Writes a file that is not there yet. Resolves with its path. */
  save(name: string, text: string): Promise<string>;
  /** Shows a file in the operator's pager, which has the terminal until it ends. Resolves with why not, or null. */
  page(path: string): Promise<string | null>;
  /** Puts text on the clipboard of the operator's terminal. */
  copy(text: string): void;
}

/** Turns keys into changes of the screen and into commands to the worker. */
export interface Controller {
  /** Keys of one input event, in order. */
  press(keys: readonly string[]): void;
  /** Pasted text: it is text for the line that is being typed and nothing else, never a key. */
  paste(text: string): void;
}

const steps: ReadonlySet<Command> = new Set<Step>(['up', 'down', 'pageUp', 'pageDown', 'first', 'last']);

/** Where any other key means no. */
const questionsBeforeEnd: readonly Context[] = ['quit', 'quitCancel'];
const questions: readonly Context[] = ['confirm', ...questionsBeforeEnd];

function isStep(command: Command): command is Step {
  return steps.has(command);
}

export function createController(options: ControllerOptions): Controller {
  const { handle, store, clock, quit, outside } = options;
  if (options.onPreferences !== undefined) onPreferences(store, options.onPreferences);
  const say = (tone: Message['tone'], text: string): void => {
    const until = tone === 'bad' ? null : clock.now() + messageMs;
    store.dispatch({ type: 'said', message: { tone, text, until } });
  };

  /** Waits for the worker's answer and shows it; whatever is thrown is shown too. */
  const answer = (asked: () => Promise<CommandAnswer>): void => {
    void (async () => {
      try {
        const { ok, said } = await asked();
        say(ok ? 'good' : 'bad', said);
      } catch (thrown) {
        say('bad', errorLine(thrown));
      }
    })();
  };

  const seeker = createSeeker(store, say);
  const acting = createActing({ handle, store, say, answer });
  const tables = createTableCommands({ store, ...outside, say, answer });
  const logs = createLogCommands({ handle, store, ...outside, say });
  const doctor = createDoctorCommands({
    store,
    clock,
    load: options.doctor,
    over: options.over ?? new AbortController().signal,
    say,
  });
  const leaving = createLeaving({ handle, store, say, answer, quit });

  /** What was chosen in the menu: asked about, or typed on where it needs a value. */
  const chooseAction = (key: string): void => {
    store.dispatch({ type: 'back' });
    const action = actionsOf(store.get().snapshot.executor).find((one) => one.key === key);
    if (action === undefined) return;
    if (action.value === null) acting.ask(action, []);
    else store.dispatch({ type: 'commandOpened', text: `${action.name} ` });
  };

  const askCancel = (): void => {
    const action = rowActionOf('cancel');
    if (action !== undefined) acting.ask(action, []);
  };

  const openMenu = (): void => {
    if (actionRows(store.get()).length > 0) store.dispatch({ type: 'menuOpened' });
    else say('warning', 'There is no run or job here to do something to.');
  };

  const setPaused = (paused: boolean): void => {
    answer(async () => (paused ? handle.pause() : handle.resume()));
  };

  const setPace = (change: 'more' | 'less'): void => {
    if (handle.pace === undefined) return say('warning', 'How often Slurm is asked is up to the service.');
    const { pace } = handle;
    return answer(async () => pace(change));
  };

  const confirm = (): void => {
    const { overlay } = store.get();
    if (overlay.kind === 'quitCancel') leaving.cancelAll(overlay.runs);
    if (overlay.kind !== 'confirm') return;
    store.dispatch({ type: 'back' });
    acting.act(overlay.target);
  };

  const openView = (view: ViewCommand): void => {
    store.dispatch({ type: 'went', place: view === 'worker' ? { view, top: 0 } : { view } });
    if (view === 'doctor') doctor.opened();
  };

  const toggleHelp = (): void =>
    store.dispatch({ type: store.get().overlay.kind === 'help' ? 'back' : 'helpOpened' });

  const nextScope = (): void => {
    const { place, scope } = store.get();
    if (place.view === 'jobs') chooseScope(jobScopes[(jobScopes.indexOf(scope) + 1) % jobScopes.length]);
  };

  const chooseScope = (word: string | undefined): void => {
    const scope = jobScopes.find((one) => one === word);
    if (scope === undefined) return say('bad', `Say :scope and one of ${jobScopes.join(', ')}.`);
    // of the other tables it means nothing
    if (store.get().place.view !== 'jobs') store.dispatch({ type: 'went', place: { view: 'jobs' } });
    return store.dispatch({ type: 'scopeChosen', scope });
  };

  /** What was typed after `:`. */
  const runLine = (line: string): void => {
    const { readOnly } = store.get();
    if (line.trim() === '') return;
    const parsed = parseCommandLine(line, readOnly);
    if (parsed === null) {
      const hidden = !readOnly || parseCommandLine(line, false) === null ? '' : ' This console is read-only.';
      return say(
        'bad',
        `There is no command "${line.trim().split(/\s+/u)[0] ?? ''}"; ? lists them.${hidden}`,
      );
    }
    const { command, words } = parsed;
    const action = rowActions.find(({ name }) => name === command.name);
    if (action !== undefined) return acting.ask(action, words);
    switch (command.name) {
      case 'jobs':
      case 'nodes':
      case 'partitions':
      case 'history':
      case 'images':
      case 'doctor':
      case 'worker':
        return openView(command.name);
      case 'job':
        return tables.open();
      case 'help':
        return toggleHelp();
      case 'filter':
        return store.dispatch({ type: 'filterSet', text: words.join(' ') });
      case 'sort':
        return tables.sortByName(words);
      case 'columns':
        return tables.chooseColumns(words);
      case 'export':
        return tables.exportRows(words);
      case 'copy':
        return words[0] === 'paths' ? logs.copyPaths() : tables.copyIds();
      case 'scope':
        return chooseScope(words[0]);
      case 'log':
        return logs.toggle();
      case 'pager':
        return logs.openInPager();
      case 'errors':
        return store.dispatch({ type: 'errorsToggled' });
      case 'wide':
        return tables.toggleWide();
      case 'freeze':
        return store.dispatch({ type: 'freezeToggled' });
      case 'pause':
        return setPaused(true);
      case 'resume':
        return setPaused(false);
      case 'drain':
        return answer(async () => handle.drain());
      case 'quit':
        return leaving.ask();
      default:
        return say('bad', `The command ${command.name} does nothing here.`);
    }
  };

  const run = (command: Command): void => {
    if (isStep(command)) {
      store.dispatch({ type: 'step', step: command });
      return;
    }
    switch (command) {
      case 'filter':
        return store.dispatch({ type: 'filterOpened' });
      case 'filterKeep':
        return store.dispatch({ type: 'filterKept' });
      case 'filterErase':
        return store.dispatch({ type: 'filterErased' });
      case 'command':
        return store.dispatch({ type: 'commandOpened' });
      case 'commandRun':
        return withTypedText((text) => {
          store.dispatch({ type: 'back' });
          runLine(text);
        });
      case 'lineErase':
        return withTypedText((text) =>
          store.dispatch({ type: 'lineSet', text: Array.from(text).slice(0, -1).join('') }),
        );
      case 'commandComplete':
        return withTypedText((text) =>
          store.dispatch({
            type: 'lineSet',
            text: complete(text, { readOnly: store.get().readOnly, columnIds: tables.table().columnIds }),
          }),
        );
      case 'sort':
        return store.dispatch({ type: 'sortedNext' });
      case 'sortReverse':
        return tables.reverseSort();
      case 'mark':
        return store.dispatch({ type: 'markToggled' });
      case 'markRange':
        return store.dispatch({ type: 'rangeMarked' });
      case 'markAll':
        return store.dispatch({ type: 'allMarked' });
      case 'wide':
        return tables.toggleWide();
      case 'errors':
        return store.dispatch({ type: 'errorsToggled' });
      case 'freeze':
        return store.dispatch({ type: 'freezeToggled' });
      case 'scope':
        return nextScope();
      case 'refresh':
        return store.dispatch({ type: 'detailsAsked' });
      case 'details':
        return tables.open();
      case 'jobs':
      case 'nodes':
      case 'partitions':
      case 'history':
      case 'images':
      case 'doctor':
      case 'worker':
        return openView(command);
      case 'again':
        return doctor.again();
      case 'copy':
        return tables.copyIds();
      case 'copyPaths':
        return logs.copyPaths();
      case 'log':
        return store.dispatch({ type: 'logToggled' });
      case 'focus':
        return store.dispatch({ type: 'focusToggled' });
      case 'follow':
        return store.dispatch({ type: 'followToggled' });
      case 'wrap':
        return store.dispatch({ type: 'wrapToggled' });
      case 'stamps':
        return store.dispatch({ type: 'stampsToggled' });
      case 'pager':
        return logs.openInPager();
      case 'search':
        return store.dispatch({ type: 'searchOpened' });
      case 'searchRun':
        return withTypedText((text) => {
          store.dispatch({ type: 'back' });
          seeker.search(text);
        });
      case 'nextHit':
        return seeker.next(1);
      case 'previousHit':
        return seeker.next(-1);
      case 'nextError':
        return seeker.nextError();
      case 'wholeLog':
        return store.dispatch({ type: 'wholeToggled' });
      case 'help':
        return toggleHelp();
      case 'back':
        return store.dispatch({ type: 'back' });
      case 'cancel':
        return askCancel();
      case 'menu':
        return openMenu();
      case 'pause':
        return setPaused(!['paused', 'draining'].includes(store.get().snapshot.health.intake));
      case 'lessOften':
        return setPace('less');
      case 'moreOften':
        return setPace('more');
      case 'confirm':
        return confirm();
      case 'leave':
        return leaving.leave();
      case 'keep':
        return leaving.keep();
      case 'cancelAll':
        return leaving.askCancelAll();
      case 'quit':
        return leaving.ask();
      case 'interrupt':
        return questionsBeforeEnd.includes(contextOf(store.get())) ? leaving.leave() : leaving.ask();
    }
  };

  /** One key; false: what is left of the input is not to be read, because a question has appeared. */
  const pressOne = (key: string): boolean => {
    const before = store.get();
    const context = contextOf(before);
    const command = commandFor(key, context, before.readOnly);
    if (command !== null) run(command);
    else if (context === 'filter' || context === 'command' || context === 'search')
      typeText(key === 'space' ? ' ' : key);
    else if (context === 'menu') chooseAction(key);
    else if (questions.includes(context)) store.dispatch({ type: 'back' });
    else if (context === 'table' || context === 'list' || context === 'doctor') tables.sortByLetter(key);
    const after = contextOf(store.get());
    return after === context || !(after === 'menu' || questions.includes(after));
  };

  const withTypedText = (act: (text: string) => void): void => {
    const { overlay } = store.get();
    if (overlay.kind === 'command' || overlay.kind === 'search') act(overlay.text);
  };

  /** One character for whatever is being typed; the name of another key is none. */
  const typeText = (text: string): void => {
    if (Array.from(text).length === 1) insert(text);
  };

  const insert = (text: string): void => {
    const { overlay } = store.get();
    if (overlay.kind === 'filter') store.dispatch({ type: 'filterTyped', text });
    withTypedText((before) => store.dispatch({ type: 'lineSet', text: before + text }));
  };

  return {
    press(keys) {
      store.dispatch({ type: 'keyPressed' });
      for (const key of keys) if (!pressOne(key)) return;
    },
    paste(text) {
      insert(text.split(/[\r\n]/u)[0] ?? '');
    },
  };
}
