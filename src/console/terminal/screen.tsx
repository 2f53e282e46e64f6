import { Box } from 'ink';
import type { ReactElement } from 'react';
import { screenLines } from './frame.js';
import type { Theme } from './theme.js';
import type { ScreenView as Screen } from '../views/screen.js';
import { LineView } from './line.js';

/** Draws a frame with Ink. */
export function ScreenView({
  screen,
  columns,
  theme,
}: {
  screen: Screen;
  columns: number;
  theme: Theme;
}): ReactElement {
  return (
    <Box flexDirection="column" width={columns}>
      {screenLines(screen, columns, theme).map((line, index) => (
        <LineView key={String(index)} line={line} theme={theme} />
      ))}
    </Box>
  );
}
