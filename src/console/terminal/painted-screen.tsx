import { useApp, useStdout } from 'ink';
import { useLayoutEffect } from 'react';
import { screenLines } from './frame.js';
import { coalesce } from '../data/store-subscriptions.js';
import { createPainter } from './painter.js';
import type { Store } from '../state/store.js';
import type { Theme } from './theme.js';
import { viewScreen } from '../views/screen.js';

/** A key is answered at once; more changes than a screen can show are drawn together. */
const frameMs = 16;

/**
 * The store on the terminal's alternate screen, drawn by our own painter. To Ink it is nothing: Ink opens that screen,
 * reads the keyboard and gives the terminal back.
 */
export function PaintedScreen({ store, theme }: { store: Store; theme: Theme }): null {
  const { stdout } = useStdout();
  const { exit } = useApp();
  // In the layout phase Ink has opened the screen already; it closes it after the cleanup.
  useLayoutEffect(() => {
    const painter = createPainter(theme);
    let { size, lent } = store.get();
    const draw = (): void => {
      try {
        const state = store.get();
        if (state.lent) return;
        const text = painter.frame(screenLines(viewScreen(state, theme), state.size.columns, theme));
        if (text !== '') stdout.write(text);
      } catch (thrown) {
        exit(thrown instanceof Error ? thrown : new Error(String(thrown)));
      }
    };
    const frames = coalesce(draw, frameMs);
    let redraw: NodeJS.Immediate | null = null;
    const drawWhole = (): void => {
      painter.forget();
      draw();
    };
    const unsubscribe = store.subscribe(() => {
      const before = { size, lent };
      ({ size, lent } = store.get());
      if (size === before.size && lent === before.lent) return frames.call();
      // once everybody who listens to the terminal has done: Ink erases what it believes to have drawn
      clearImmediate(redraw ?? undefined);
      redraw = setImmediate(drawWhole);
    });
    draw();
    return () => {
      unsubscribe();
      frames.stop();
      clearImmediate(redraw ?? undefined);
    };
  }, [store, theme, stdout, exit]);
  return null;
}
