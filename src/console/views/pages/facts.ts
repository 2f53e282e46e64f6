import { cleanText, wrapWords } from '../../terminal/text.js';
import { span, type Line, type Tone } from '../../terminal/theme.js';

/** A labeled value of a page. Empty and unknown values are omitted. */
export type Fact = readonly [label: string, text: string | number | null | undefined, tone?: Tone];

const widestLabel = 16;

/** A heading and facts below it; long values are wrapped. */
export function factLines(title: string, facts: readonly Fact[], width: number): Line[] {
  const known = facts.filter(([, text]) => text !== null && text !== undefined && text !== '');
  if (known.length === 0) return [];
  const longest = Math.max(...known.map(([label]) => label.length));
  const labelWidth = width < 60 ? Math.min(14, Math.max(10, longest)) : widestLabel;
  const lines: Line[] = [{ spans: [span(` ${title}`, 'strong')] }];
  for (const [label, text, tone = 'plain'] of known) {
    const pieces = wrapWords(cleanText(String(text)), Math.max(10, width - labelWidth - 5));
    for (const [index, piece] of pieces.entries()) {
      const front = index === 0 ? label : '';
      lines.push({ spans: [span(`   ${cleanText(front).padEnd(labelWidth)} `, 'muted'), span(piece, tone)] });
    }
  }
  return [...lines, { spans: [] }];
}
