import { useInput, usePaste } from 'ink';
import { useSyncExternalStore, type ReactElement } from 'react';
import type { Controller } from './controller.js';
import { PaintedScreen } from './components/painted-screen.js';
import { ScreenView } from './components/screen.js';
import { keyNames } from './keys.js';
import type { Store } from './store.js';
import type { Theme } from './theme.js';
import { viewScreen } from './view-model.js';

export interface AppProps {
  store: Store;
  controller: Controller;
  theme: Theme;
  /** Our own painter draws; otherwise Ink does, line by line, as a screen reader or a dumb terminal needs it. */
  painted: boolean;
}

/** The store as a screen, the keyboard as keys for the controller. */
export function App({ store, controller, theme, painted }: AppProps): ReactElement {
  useInput((input, key) => controller.press(keyNames(input, key)));
  // Bracketed paste: what is pasted must not be taken for keys.
  usePaste((text) => controller.paste(text));
  return painted ? <PaintedScreen store={store} theme={theme} /> : <InkScreen store={store} theme={theme} />;
}

function InkScreen({ store, theme }: { store: Store; theme: Theme }): ReactElement {
  const state = useSyncExternalStore(store.subscribe, store.get);
  return <ScreenView screen={viewScreen(state, theme)} columns={state.size.columns} theme={theme} />;
}
