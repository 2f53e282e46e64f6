import { useApp, useInput, useIsScreenReaderEnabled, usePaste, type SuspendTerminal } from 'ink';
import { useEffect, useSyncExternalStore, type ReactElement } from 'react';
import type { Controller } from '../commands/controller.js';
import { LinearView } from './linear.js';
import { PaintedScreen } from './painted-screen.js';
import { ScreenView } from './screen.js';
import { keyNames } from './keys.js';
import { linearLines } from '../views/linear.js';
import type { Store } from '../state/action.js';
import type { Theme } from './theme.js';
import { viewScreen } from '../views/screen.js';

interface AppProps {
  store: Store;
  controller: Controller;
  theme: Theme;
  /** Draw with the painter; otherwise with Ink, as screen readers and dumb terminals need it. */
  painted: boolean;
  /** Receives the function that suspends Ink while another program owns the terminal. */
  onSuspendReady?: (suspend: SuspendTerminal) => void;
}

/** Draws the store and passes keys to the controller. */
export function App({
  store,
  controller,
  theme,
  painted,
  onSuspendReady: onTerminal,
}: AppProps): ReactElement {
  const { suspendTerminal } = useApp();
  useEffect(() => onTerminal?.(suspendTerminal), [onTerminal, suspendTerminal]);
  useInput((input, key) => controller.press(keyNames(input, key)));
  // bracketed paste: pasted text must not act as keys
  usePaste((text) => controller.paste(text));
  return painted ? <PaintedScreen store={store} theme={theme} /> : <InkScreen store={store} theme={theme} />;
}

function InkScreen({ store, theme }: { store: Store; theme: Theme }): ReactElement {
  const isScreenReader = useIsScreenReaderEnabled();
  const state = useSyncExternalStore(store.subscribe, store.get);
  if (isScreenReader) return <LinearView lines={linearLines(state, theme)} />;
  return <ScreenView screen={viewScreen(state, theme)} columns={state.size.columns} theme={theme} />;
}
