import { useApp, useStdout } from 'ink';
import { useLayoutEffect } from 'react';
import { screenLines } from './frame.js';
import { coalesce } from '../data/store-subscriptions.js';
import { createPainter } from './painter.js';
import type { Store } from '../state/action.js';
import type { Theme } from './theme.js';
import { viewScreen } from '../views/screen.js';

/** A key is answered at once; further changes within this time are drawn together. */
const frameMs = 16;

/**
 * Draws the store on the alternate screen with the painter. It renders nothing in Ink, which only opens that screen, reads the
 * keyboard and restores the terminal.
 */
export function PaintedScreen({ store, theme }: { store: Store; theme: Theme }): null {
  const { stdout } = useStdout();
  const { exit } = useApp();
  // layout effects run after Ink has opened the alternate screen, and are cleaned up before it is closed
  useLayoutEffect(() => {
    const painter = createPainter(theme);
    let { size, suspended } = store.get();
    const draw = (): void => {
      try {
        const state = store.get();
        if (state.suspended) return;
        const text = painter.frame(screenLines(viewScreen(state, theme), state.size.columns, theme));
        if (text !== '') stdout.write(text);
      } catch (thrown) {
        exit(thrown instanceof Error ? thrown : new Error(String(thrown)));
      }
    };
    const frames = coalesce(draw, frameMs);
    let redraw: NodeJS.Immediate | null = null;
    const redrawAll = (): void => {
      painter.invalidate();
      draw();
    };
    const unsubscribe = store.subscribe(() => {
      const before = { size, suspended };
      ({ size, suspended } = store.get());
      if (size === before.size && suspended === before.suspended) return frames.call();
      // after all other listeners, because Ink erases what it thinks it has drawn
      clearImmediate(redraw ?? undefined);
      redraw = setImmediate(redrawAll);
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
