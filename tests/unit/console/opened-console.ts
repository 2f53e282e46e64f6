import { createController, type ControllerOptions } from '../../../src/console/commands/controller.js';
import { initialState } from '../../../src/console/state/reducer.js';
import type { Action } from '../../../src/console/state/action.js';
import { defaultPreferences, type Preferences } from '../../../src/console/state/preferences.js';
import type { ConsoleState, Size } from '../../../src/console/state/state.js';
import { createStore } from '../../../src/console/state/store.js';
import { chooseTheme, type Theme } from '../../../src/console/terminal/theme.js';
import { screenLines } from '../../support/screen-lines.js';
import type { FakeWorker } from '../../support/fake-worker-handle.js';

/** A console without a terminal: keys in, text out. */
export interface OpenedConsole {
  press(...keys: string[]): void;
  /** Presses the key of each character. */
  type(text: string): void;
  dispatch(...actions: Action[]): void;
  state(): ConsoleState;
  /** The lines of the present frame. */
  lines(theme?: Theme): string[];
  text(theme?: Theme): string;
  readonly copied: readonly string[];
  /** Every reported change of the preferences. */
  readonly preferred: readonly Preferences[];
}

export function openConsole(
  worker: FakeWorker,
  size: Size,
  options: Partial<ControllerOptions> = {},
): OpenedConsole {
  const store = createStore(
    initialState({
      snapshot: worker.snapshot(),
      now: 0,
      size,
      // the pane beside the table has its own tests
      preferences: { ...defaultPreferences, pane: false },
    }),
  );
  const copied: string[] = [];
  const preferred: Preferences[] = [];
  const controller = createController({
    handle: worker,
    store,
    clock: { now: () => store.get().now, monotonic: () => store.get().now, sleep: async () => {} },
    quit: () => undefined,
    host: {
      saveFile: async (name) => name,
      copyToClipboard: (text) => copied.push(text),
      openPager: async () => null,
    },
    onPreferences: (preferences) => preferred.push(preferences),
    ...options,
  });
  const lines = (theme: Theme = chooseTheme({})): string[] => {
    return screenLines(store.get(), theme);
  };
  return {
    press(...keys) {
      for (const key of keys) controller.press([key]);
    },
    type(text) {
      for (const character of Array.from(text)) controller.press([character === ' ' ? 'space' : character]);
    },
    dispatch(...actions) {
      for (const action of actions) store.dispatch(action);
    },
    state: () => store.get(),
    lines,
    text: (theme) => lines(theme).join('\n'),
    copied,
    preferred,
  };
}
