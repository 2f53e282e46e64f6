import { matchingCommands } from '../commands/command-line.js';
import type { ConsoleState } from '../state/state.js';
import { keyLabel } from '../terminal/keys.js';
import { span, type Line, type Theme } from '../terminal/theme.js';

const maxRows = 8;

/** The commands that match what is being typed after `:`, as they lie over the end of a view; empty while there are none. */
export function paletteLines(
  { overlay, readOnly, size }: ConsoleState,
  height: number,
  { glyphs }: Theme,
): Line[] {
  if (overlay.kind !== 'command' || /\s/u.test(overlay.text.trimStart())) return [];
  const matches = matchingCommands(overlay.text, readOnly);
  const rows = Math.min(maxRows, matches.length, height - 1);
  if (rows < 1) return [];
  const index = overlay.index ?? -1;
  const top = Math.max(0, index - rows + 1);
  const title = `${glyphs.rule}${glyphs.rule} commands ${Math.max(0, index) + 1} of ${matches.length} `;
  return [
    { spans: [span(title.padEnd(size.columns, glyphs.rule), 'muted')] },
    ...matches.slice(top, top + rows).map(({ name, argument, help, keys }, row): Line => {
      const key = keys[0] === undefined ? '' : keyLabel(keys[0]);
      const label = `:${name} ${argument}`.trimEnd();
      return {
        spans: [span(` ${label.padEnd(24)} `, 'accent'), span(key.padEnd(6), 'strong'), span(help)],
        selected: top + row === index,
      };
    }),
  ];
}
