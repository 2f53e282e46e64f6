import { useInput, usePaste } from 'ink';
import { useSyncExternalStore, type ReactElement } from 'react';
import type { Controller } from './controller.js';
import { ScreenView } from './components/screen.js';
import { keyNames } from './keys.js';
import type { Store } from './store.js';
import type { Theme } from './theme.js';
import { viewScreen } from './view-model.js';

/** The store as a screen, the keyboard as keys for the controller. */
export function App({
  store,
  controller,
  theme,
}: {
  store: Store;
  controller: Controller;
  theme: Theme;
}): ReactElement {
  const state = useSyncExternalStore(store.subscribe, store.get);
  useInput((input, key) => controller.press(keyNames(input, key)));
  // Bracketed paste: what is pasted must not be taken for keys.
  usePaste((text) => controller.paste(text));
  return <ScreenView screen={viewScreen(state, theme)} columns={state.size.columns} theme={theme} />;
}
