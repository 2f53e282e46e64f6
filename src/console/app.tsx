import { useApp, useInput, useIsScreenReaderEnabled, usePaste, type SuspendTerminal } from 'ink';
import { useEffect, useSyncExternalStore, type ReactElement } from 'react';
import type { Controller } from './controller.js';
import { LinearView } from './components/linear.js';
import { PaintedScreen } from './components/painted-screen.js';
import { ScreenView } from './components/screen.js';
import { keyNames } from './keys.js';
import { linearLines } from './linear.js';
import type { Store } from './store.js';
import type { Theme } from './theme.js';
import { viewScreen } from './view-model.js';

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
