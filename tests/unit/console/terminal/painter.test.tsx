import headless from '@xterm/headless';
import fc from 'fast-check';
import { cleanup, render } from 'ink-testing-library';
import { afterEach, describe, expect, test } from 'vitest';
import { screenLines } from '../../../../src/console/terminal/frame.js';
import { ScreenView } from '../../../../src/console/terminal/screen.js';
import { createPainter } from '../../../../src/console/terminal/painter.js';
import { clip } from '../../../../src/console/terminal/line-layout.js';
import { cleanText } from '../../../../src/console/terminal/text.js';
import { chooseTheme, span, type Line, type Tone } from '../../../../src/console/terminal/theme.js';

const theme = chooseTheme({});
const size = { columns: 30, rows: 6 };

function line(text: string, tone: Tone = 'plain'): Line {
  return { spans: [span(text, tone)] };
}

/** The content and style of each cell of a terminal after some output. */
async function cellsAfter(texts: readonly string[]): Promise<string[][]> {
  const terminal = new headless.Terminal({ cols: size.columns, rows: size.rows, allowProposedApi: true });
  for (const text of texts) await new Promise<void>((resolve) => terminal.write(text, resolve));
  const { active } = terminal.buffer;
  const cells = Array.from({ length: size.rows }, (_, row) =>
    Array.from({ length: size.columns }, (__, column) => {
      const cell = active.getLine(row)?.getCell(column);
      if (cell === undefined) return '';
      const looks = [
        cell.isBold() === 0 ? '' : 'bold',
        cell.isDim() === 0 ? '' : 'dim',
        cell.isInverse() === 0 ? '' : 'inverse',
        cell.isFgPalette() ? String(cell.getFgColor()) : '',
      ];
      return [cell.getChars() || ' ', ...looks.filter(Boolean)].join(' ');
    }),
  );
  terminal.dispose();
  return cells;
}

const tones: readonly Tone[] = ['plain', 'muted', 'strong', 'good', 'bad', 'accent', 'waiting'];

const anyLine: fc.Arbitrary<Line> = fc
  .record({
    spans: fc.array(
      fc
        .tuple(
          fc.oneof(
            fc.string({ maxLength: 12 }),
            fc.string({
              maxLength: 6,
              unit: fc.constantFrom('a', 'b', '●', '漢', 'é', 'e\u0301', '😀', ' '),
            }),
          ),
          fc.constantFrom(...tones),
        )
        .map(([text, tone]) => span(cleanText(text), tone)),
      { maxLength: 5 },
    ),
    selected: fc.boolean(),
  })
  .map(({ spans, selected }) => ({ spans: clip(spans, size.columns, theme), selected }));

afterEach(cleanup);

describe('the painter', () => {
  test("matches Ink's output", async () => {
    const screen = {
      above: [line('top 漢字'), { spans: [span(' ● '), span('ok', 'good')] }, { spans: [] }],
      box: [line('Quit?')],
      below: [],
    };
    const written = createPainter(theme).frame(screenLines(screen, size.columns, theme));
    const rows = (await cellsAfter([written])).map((cells) =>
      cells.map((cell) => Array.from(cell)[0]).join(''),
    );
    const drawn =
      render(<ScreenView screen={screen} columns={size.columns} theme={theme} />).lastFrame() ?? '';
    // the second half of a wide character is an empty cell
    expect(rows.map((row) => row.replaceAll(/(?<=[漢字]) /gu, '').trimEnd())).toEqual(drawn.split('\n'));
  });

  test('draws the last frame correctly over any earlier frames', async () => {
    const frames = fc.array(fc.array(anyLine, { maxLength: size.rows - 1 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(frames, async (all) => {
        const painter = createPainter(theme);
        const written = all.map((lines) => painter.frame(lines));
        const whole = createPainter(theme).frame(all.at(-1) ?? []);
        expect(await cellsAfter(written)).toEqual(await cellsAfter([whole]));
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  test('writes nothing for identical or equal lines', () => {
    const painter = createPainter(theme);
    painter.frame([line('one'), line('two', 'good')]);
    expect(painter.frame([line('one'), line('two', 'good')])).toBe('');
  });

  test('writes only the cells that changed', () => {
    const painter = createPainter(theme);
    painter.frame([line('title'), line('RUNNING  node1  0:58')]);
    const written = painter.frame([line('title'), line('RUNNING  node1  0:59')]);
    expect(written).toBe('\u001B[?2026h\u001B[2;20H9\u001B[?2026l');
  });

  test('redraws a changed tone and erases the rest of a longer line', async () => {
    const painter = createPainter(theme);
    const texts = [
      painter.frame([line('abcdef'), line('same')]),
      painter.frame([line('abc', 'bad'), line('same')]),
    ];
    const [first = [], second = []] = await cellsAfter(texts);
    expect(first.slice(0, 4)).toEqual(['a bold 1', 'b bold 1', 'c bold 1', ' ']);
    expect(second[0]).toBe('s');
  });

  test('erases and redraws the whole screen after invalidation', () => {
    const painter = createPainter(theme);
    const lines = [line('one'), line('two')];
    const first = painter.frame(lines);
    painter.invalidate();
    expect(painter.frame(lines)).toBe(first);
    expect(first).toContain('\u001B[H\u001B[J');
  });

  test('uses no colors without color support, and still inverts the selected row', () => {
    const painter = createPainter(chooseTheme({ NO_COLOR: '1' }));
    const written = painter.frame([line('bad', 'bad'), { spans: [span('here', 'good')], selected: true }]);
    expect(written).toContain('\u001B[1mbad\u001B[m');
    expect(written).toContain('\u001B[1;7mhere\u001B[m');
  });
});

describe('screenLines', () => {
  test('draws a border around the box, as wide as the screen', () => {
    const lines = screenLines(
      { above: [line('top')], box: [line('Quit?')], below: [line('end')] },
      12,
      theme,
    );
    expect(lines.map(({ spans }) => spans.map(({ text }) => text).join(''))).toEqual([
      'top',
      '╭──────────╮',
      '│ Quit?    │',
      '╰──────────╯',
      'end',
    ]);
  });
});
