import { Box, Text } from 'ink';
import type { ReactElement } from 'react';

/** Plain lines for a screen reader. */
export function LinearView({ lines }: { lines: readonly string[] }): ReactElement {
  return (
    <Box flexDirection="column">
      {lines.map((line, index) => (
        <Text key={String(index)}>{line}</Text>
      ))}
    </Box>
  );
}
