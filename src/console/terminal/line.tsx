import { Text } from 'ink';
import { memo, type ReactElement } from 'react';
import type { Line, Span, Theme, Tone } from './theme.js';

interface LineProps {
  line: Line;
  theme: Theme;
}

/** One row of the screen; drawn again only if text or tones change. */
export const LineView = memo(DrawnLine, (before, after) => {
  const [a, b] = [before.line, after.line];
  return (
    before.theme === after.theme &&
    a.selected === b.selected &&
    a.spans.length === b.spans.length &&
    a.spans.every((one, index) => one.text === b.spans[index]?.text && one.tone === b.spans[index]?.tone)
  );
});

/** The selected row is inverse without tones: colored patches would be hard to read. */
function DrawnLine({ line, theme }: LineProps): ReactElement {
  if (line.selected === true) {
    return (
      <Text inverse bold wrap="truncate">
        {line.spans.map(({ text }) => text).join('')}
      </Text>
    );
  }
  // an empty Text has no height
  if (line.spans.every(({ text }) => text === '')) return <Text> </Text>;
  return (
    <Text wrap="truncate">
      {line.spans.map((one, index) => (
        <SpanView key={String(index)} span={one} theme={theme} />
      ))}
    </Text>
  );
}

function SpanView({ span: { text, tone }, theme }: { span: Span; theme: Theme }): ReactElement {
  const color = theme.color && isColored(tone) ? theme.colors[tone] : undefined;
  const isMuted = tone === 'muted' || tone === 'faded';
  return (
    <Text
      {...(color === undefined ? {} : { color })}
      dimColor={isMuted && (theme.dim || !theme.color)}
      bold={['strong', 'accent', 'bad', 'current'].includes(tone)}
      inverse={tone === 'current'}
    >
      {text}
    </Text>
  );
}

function isColored(tone: Tone): tone is keyof Theme['colors'] {
  return tone !== 'plain' && tone !== 'strong' && tone !== 'current';
}
