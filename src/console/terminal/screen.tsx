import { Box } from 'ink';
import type { ReactElement } from 'react';
import type { Line, Theme } from './theme.js';
import type { ScreenView as Screen } from '../views/screen.js';
import { LineView } from './line.js';

interface ScreenProps {
  screen: Screen;
  columns: number;
  theme: Theme;
}

/** Draws a frame: the header, the view with the pane about its selected row beside it, a question, and the footer. */
export function ScreenView({ screen, columns, theme }: ScreenProps): ReactElement {
  const { header, main, side, box, below } = screen;
  return (
    <Box flexDirection="column" width={columns}>
      <Lines lines={header} theme={theme} />
      <Box>
        <Box flexDirection="column" width={columns - (side?.width ?? 0)}>
          <Lines lines={main} theme={theme} />
        </Box>
        {side === null ? null : (
          <Box
            flexDirection="column"
            width={side.width}
            height={main.length}
            borderStyle={theme.border === 'round' ? 'single' : theme.border}
            borderTop={false}
            borderRight={false}
            borderBottom={false}
            borderDimColor
          >
            <Lines lines={side.lines} theme={theme} />
          </Box>
        )}
      </Box>
      {box === null ? null : (
        <Box
          flexDirection="column"
          width={columns}
          borderStyle={theme.border}
          {...(theme.color ? { borderColor: theme.colors.warning } : {})}
          paddingX={1}
        >
          <Lines lines={box} theme={theme} />
        </Box>
      )}
      <Lines lines={below} theme={theme} />
    </Box>
  );
}

function Lines({ lines, theme }: { lines: readonly Line[]; theme: Theme }): ReactElement[] {
  return lines.map((line, index) => <LineView key={String(index)} line={line} theme={theme} />);
}
