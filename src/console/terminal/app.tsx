import { useApp, useInput, useIsScreenReaderEnabled, usePaste, type SuspendTerminal } from 'ink';
import { useEffect, useSyncExternalStore, type ReactElement } from 'react';
import type { Controller } from '../commands/controller.js';
import { LinearView } from './linear.js';
import { ScreenView } from './screen.js';
import { keyNames } from './keys.js';
import { parseMouse } from './mouse.js';
import { linearLines } from '../views/linear.js';
import type { Store } from '../state/action.js';
import type { Theme, ThemeName } from './theme.js';
import { viewScreen } from '../views/screen.js';

interface AppProps {
  store: Store;
  controller: Controller;
  /** The theme of a name; of null: what suits the terminal. */
  themes: (name: ThemeName | null) => Theme;
  /** Receives the function that suspends Ink while another program owns the terminal. */
  onSuspendReady?: (suspend: SuspendTerminal) => void;
}

/** Draws the store and passes keys to the controller. */
export function App({ store, controller, themes, onSuspendReady: onTerminal }: AppProps): ReactElement {
  const { suspendTerminal } = useApp();
  useEffect(() => onTerminal?.(suspendTerminal), [onTerminal, suspendTerminal]);
  useInput((input, key) => {
    const mouse = parseMouse(input);
    if (mouse === null) controller.press(keyNames(input, key));
    else if (mouse !== 'ignored') controller.mouse(mouse);
  });
  // bracketed paste: pasted text must not act as keys
  usePaste((text) => controller.paste(text));
  const isScreenReader = useIsScreenReaderEnabled();
  const state = useSyncExternalStore(store.subscribe, store.get);
  const theme = themes(state.theme);
  if (isScreenReader) return <LinearView lines={linearLines(state, theme)} />;
  return <ScreenView screen={viewScreen(state, theme)} columns={state.size.columns} theme={theme} />;
}
