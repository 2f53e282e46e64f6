import { useApp, useInput, useIsScreenReaderEnabled, usePaste, type SuspendTerminal } from 'ink';
import { useEffect, useSyncExternalStore, type ReactElement } from 'react';
import type { Controller } from '../commands/controller.js';
import { LinearView } from './linear.js';
import { PaintedScreen } from './painted-screen.js';
import { ScreenView } from './screen.js';
import { keyNames } from '../commands/keys.js';
import { linearLines } from '../views/linear.js';
import type { Store } from '../state/store.js';
import type { Theme } from './theme.js';
import { viewScreen } from '../views/screen.js';

export interface AppProps {
  store: Store;
  controller: Controller;
  theme: Theme;
  /** Our own painter draws; otherwise Ink does, line by line, as a screen reader or a dumb terminal needs it. */
  painted: boolean;
  /** Gets the way to lend the terminal to another program. */
  onTerminal?: (suspend: SuspendTerminal) => void;
}

/** The store as a screen, the keyboard as keys for the controller. */
export function App({ store, controller, theme, painted, onTerminal }: AppProps): ReactElement {
  const { suspendTerminal } = useApp();
  useEffect(() => onTerminal?.(suspendTerminal), [onTerminal, suspendTerminal]);
  useInput((input, key) => controller.press(keyNames(input, key)));
  // Bracketed paste: what is pasted must not be taken for keys.
  usePaste((text) => controller.paste(text));
  return painted ? <PaintedScreen store={store} theme={theme} /> : <InkScreen store={store} theme={theme} />;
}

function InkScreen({ store, theme }: { store: Store; theme: Theme }): ReactElement {
  const isReadAloud = useIsScreenReaderEnabled();
  const state = useSyncExternalStore(store.subscribe, store.get);
  if (isReadAloud) return <LinearView lines={linearLines(state, theme)} />;
  return <ScreenView screen={viewScreen(state, theme)} columns={state.size.columns} theme={theme} />;
}
