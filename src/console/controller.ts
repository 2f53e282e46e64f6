import type { Clock } from '../base/clock.js';
import { errorLine } from '../base/errors.js';
import type { WorkerHandle } from '../worker/handle.js';
import { commandFor, type Command } from './keys.js';
import type { Step } from './reducer.js';
import { contextOf, selectedRow, type CancelTarget, type Message } from './state.js';
import type { Store } from './store.js';
import { rowTitle } from './views/table.js';

/** How long an answer that is no error stays. */
const messageMs = 6_000;

export interface ControllerOptions {
  handle: WorkerHandle;
  store: Store;
  clock: Clock;
  /** The user has decided to leave. */
  quit: () => void;
}

/** Turns keys into changes of the screen and into commands to the worker. */
export interface Controller {
  /** Keys of one input event, in order. */
  press(keys: readonly string[]): void;
  /** Pasted text: it is text for the filter and nothing else, never a command. */
  paste(text: string): void;
}

const steps: ReadonlySet<Command> = new Set<Step>(['up', 'down', 'pageUp', 'pageDown', 'first', 'last']);

function isStep(command: Command): command is Step {
  return steps.has(command);
}

export function createController({ handle, store, clock, quit }: ControllerOptions): Controller {
  const say = (tone: Message['tone'], text: string): void => {
    const until = tone === 'bad' ? null : clock.now() + messageMs;
    store.dispatch({ type: 'said', message: { tone, text, until } });
  };

  /** Waits for the worker's answer and shows it; whatever is thrown is shown too. */
  const answer = (asked: () => Promise<{ ok: boolean; said: string }>): void => {
    void (async () => {
      try {
        const { ok, said } = await asked();
        say(ok ? 'good' : 'bad', said);
      } catch (thrown) {
        say('bad', errorLine(thrown));
      }
    })();
  };

  const askCancel = (): void => {
    const row = selectedRow(store.get());
    if (row === null) return;
    if (row.group === 'finished') {
      say('warning', `Nothing to cancel: ${rowTitle(row)} is finished.`);
      return;
    }
    const command: CancelTarget['command'] =
      row.run === null ? { kind: 'job', jobId: row.job.id } : { kind: 'run', runId: row.run.id };
    store.dispatch({ type: 'cancelAsked', target: { row, command } });
  };

  const cancel = ({ row, command }: CancelTarget): void => {
    const name = rowTitle(row);
    say('warning', `Canceling ${name}.`);
    answer(async () => {
      const { ok, said } =
        command.kind === 'run'
          ? await handle.cancelRun(command.runId)
          : await handle.cancelJob(command.jobId);
      const words = said.trim() === '' ? (ok ? 'accepted' : 'refused without a word') : said.trim();
      return { ok, said: `${ok ? 'Cancel' : 'Not canceled,'} ${name}: ${words}` };
    });
  };

  const togglePause = (): void => {
    const { intake } = store.get().snapshot.health;
    if (intake === 'draining') {
      say('warning', 'The worker is draining: its intake does not open again.');
      return;
    }
    answer(async () => {
      if (intake === 'paused') {
        await handle.resume();
        return { ok: true, said: 'Intake resumed.' };
      }
      await handle.pause();
      return { ok: true, said: 'Intake paused: no new tasks are taken, what is in flight goes on.' };
    });
  };

  const askQuit = (): void => {
    const state = store.get();
    if (state.snapshot.health.inFlight === 0) quit();
    else store.dispatch({ type: 'quitAsked' });
  };

  const confirm = (): void => {
    const { overlay } = store.get();
    if (overlay.kind === 'quit') quit();
    if (overlay.kind !== 'cancel') return;
    store.dispatch({ type: 'back' });
    cancel(overlay.target);
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
      case 'log':
        return store.dispatch({ type: 'logToggled' });
      case 'focus':
        return store.dispatch({ type: 'focusToggled' });
      case 'follow':
        return store.dispatch({ type: 'followToggled' });
      case 'wrap':
        return store.dispatch({ type: 'wrapToggled' });
      case 'help':
        return store.dispatch({ type: store.get().overlay.kind === 'help' ? 'back' : 'helpOpened' });
      case 'back':
        return store.dispatch({ type: 'back' });
      case 'cancel':
        return askCancel();
      case 'pause':
        return togglePause();
      case 'confirm':
        return confirm();
      case 'quit':
        return askQuit();
      case 'interrupt':
        return store.get().overlay.kind === 'quit' ? quit() : askQuit();
    }
  };

  /** One key; false: what is left of the input is not to be read, because a question has appeared. */
  const pressOne = (key: string): boolean => {
    const before = store.get();
    const context = contextOf(before);
    const command = commandFor(key, context, before.readOnly);
    if (command !== null) run(command);
    else if (context === 'filter') typeKey(key);
    else if (context === 'cancel' || context === 'quit') store.dispatch({ type: 'back' });
    const after = contextOf(store.get());
    return after === context || (after !== 'cancel' && after !== 'quit');
  };

  const typeKey = (key: string): void => {
    const text = key === 'space' ? ' ' : key;
    if (Array.from(text).length === 1) store.dispatch({ type: 'filterTyped', text });
  };

  return {
    press(keys) {
      store.dispatch({ type: 'keyPressed' });
      for (const key of keys) if (!pressOne(key)) return;
    },
    paste(text) {
      if (contextOf(store.get()) === 'filter') {
        store.dispatch({ type: 'filterTyped', text: text.split(/[\r\n]/u)[0] ?? '' });
      }
    },
  };
}
