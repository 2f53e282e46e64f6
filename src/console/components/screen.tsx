import { Box } from 'ink';
import type { ReactElement } from 'react';
import type { Line, Theme } from '../theme.js';
import type { ScreenView as Screen } from '../view-model.js';
import { LineView } from './line.js';

/** A frame. All decisions were made in the view model; this only draws. */
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
      <Lines lines={screen.above} theme={theme} />
      {screen.box !== null && (
        <Box
          borderStyle={theme.border}
          {...(theme.color ? { borderColor: 'yellow' } : {})}
          flexDirection="column"
          paddingX={1}
          width={columns}
        >
          <Lines lines={screen.box} theme={theme} />
        </Box>
      )}
      <Lines lines={screen.below} theme={theme} />
    </Box>
  );
}

function Lines({ lines, theme }: { lines: readonly Line[]; theme: Theme }): ReactElement {
  return (
    <Box flexDirection="column" flexShrink={0}>
      {lines.map((line, index) => (
        <LineView key={String(index)} line={line} theme={theme} />
      ))}
    </Box>
  );
}
