import { EventEmitter } from 'node:events';
import headless from '@xterm/headless';
import { render } from 'ink';
import { render as renderForTest, cleanup } from 'ink-testing-library';
import { afterEach, describe, expect, test } from 'vitest';
import { ScreenView } from '../../../../src/console/terminal/screen.js';
import { chooseTheme, span, type Line, type Tone } from '../../../../src/console/terminal/theme.js';
import type { ScreenView as Screen } from '../../../../src/console/views/screen.js';

const theme = chooseTheme({});
const columns = 30;

function line(text: string, tone: Tone = 'plain'): Line {
  return { spans: [span(text, tone)] };
}

function screenOf(parts: Partial<Screen>): Screen {
  return { header: [], main: [], side: null, box: null, below: [], ...parts };
}

/** A terminal in memory that Ink draws on. */
function terminalFor(first: Screen) {
  const view = new headless.Terminal({ cols: columns, rows: 8, allowProposedApi: true });
  let pending = Promise.resolve();
  const stdout = Object.assign(new EventEmitter(), {
    isTTY: true,
    columns,
    rows: 8,
    write(text: string, ...rest: unknown[]) {
      const done = rest.at(-1);
      if (typeof done === 'function') done();
      pending = pending.then(
        async () =>
          new Promise<void>((resolve) => {
            view.write(text, resolve);
          }),
      );
      return true;
    },
  });
  const node = (screen: Screen) => <ScreenView screen={screen} columns={columns} theme={theme} />;
  const app = render(node(first), {
    stdout: stdout as unknown as NodeJS.WriteStream,
    interactive: true,
    alternateScreen: true,
    incrementalRendering: true,
    patchConsole: false,
    exitOnCtrlC: false,
  });
  return {
    show: (screen: Screen) => app.rerender(node(screen)),
    async rows(): Promise<string[]> {
      await app.waitUntilRenderFlush();
      await pending;
      const { active } = view.buffer;
      return Array.from({ length: 7 }, (_, row) => active.getLine(row)?.translateToString(true) ?? '');
    },
    close: () => app.unmount(),
  };
}

afterEach(cleanup);

describe('a drawn screen', () => {
  test('has the pane beside the view, and a box below it', () => {
    const screen = screenOf({
      header: [line('top')],
      main: [line('left 1'), line('left 2')],
      side: { width: 12, lines: [line('right 1'), line('right 2')] },
      box: [line('Quit?')],
      below: [line('end')],
    });
    const { lastFrame } = renderForTest(<ScreenView screen={screen} columns={columns} theme={theme} />);
    expect(lastFrame()?.split('\n')).toEqual([
      'top',
      'left 1            │right 1',
      'left 2            │right 2',
      '╭────────────────────────────╮',
      '│ Quit?                      │',
      '╰────────────────────────────╯',
      'end',
    ]);
  });

  test('draws boxes in ASCII where the locale has no UTF-8', () => {
    const screen = screenOf({
      main: [line('left')],
      side: { width: 12, lines: [line('right')] },
      box: [line('Quit?')],
    });
    const ascii = chooseTheme({ LC_ALL: 'C' });
    const { lastFrame } = renderForTest(<ScreenView screen={screen} columns={columns} theme={ascii} />);
    expect(lastFrame()).toMatch(/^[ -~\n]+$/u);
    expect(lastFrame()).toContain('left              |right');
  });

  test('shows the last frame after any earlier ones, with wide characters, too', async () => {
    const frames = [
      screenOf({ main: [line('漢字 wide'), line('RUNNING  node1  0:58'), line('same')] }),
      screenOf({ main: [line('漢 wide'), line('RUNNING  node1  0:59', 'bad'), line('same')] }),
      screenOf({ main: [line('plain'), line('é●漢x'), line('same')], below: [line('more')] }),
      screenOf({ main: [line('漢字漢字'), line('')], below: [line('less')] }),
    ];
    const terminal = terminalFor(screenOf({}));
    for (const frame of frames) {
      terminal.show(frame);
      const expected = [...frame.main, ...frame.below].map(({ spans }) =>
        spans.map(({ text }) => text).join(''),
      );
      const rows = await terminal.rows();
      expect(rows.slice(0, expected.length)).toEqual(expected);
      expect(rows.slice(expected.length).join('')).toBe('');
    }
    terminal.close();
  });
});
