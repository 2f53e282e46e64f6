import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';

import type { Environment } from './program.js';

export const keys = { up: '\u001B[A', down: '\u001B[B', escape: '\u001B', enter: '\r', ctrlC: '\u0003' };

/** A program in a pseudo terminal, and its screen. */
export interface TerminalProgram {
  pid: number;
  /** The lines of the screen as it is now, without spaces at their ends. */
  screen(): string[];
  /** Everything that was written, escape sequences and all. */
  written(): string;
  /** Waits until the screen shows the text, and returns that screen. */
  waitFor(what: string | RegExp, timeoutMs?: number): Promise<string[]>;
  press(text: string): void;
  resize(columns: number, rows: number): void;
  /** The exit code, once all output has been read. */
  ended: Promise<number>;
  /** Whether the program has restored the main screen and the cursor. */
  isRestored(): boolean;
  /**
   * Closes the window: SIGHUP, or another signal, to the program. Resolves once it and its children have exited; fails if they
   * have not after 15 s, and kills the program.
   */
  close(signal?: NodeJS.Signals): Promise<void>;
}

export interface TerminalOptions {
  columns: number;
  rows: number;
  env: Environment;
}

/** What Ink writes around a frame, so that a terminal shows it at once (synchronized output). */
const frameBegin = '\u001B[?2026h';
const frameEnd = '\u001B[?2026l';

/** Starts a program in a terminal of this size. */
export function startInTerminal(
  file: string,
  args: readonly string[],
  { columns, rows, env }: TerminalOptions,
): TerminalProgram {
  const view = new headless.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 100 });
  const pty = spawn(file, [...args], {
    name: 'xterm-256color',
    cols: columns,
    rows,
    env: { ...env, TERM: 'xterm-256color' },
  });
  let written = '';
  /** Whether the screen is between two frames: a long frame comes in several pieces. */
  let isWhole = true;
  const changed = new Set<() => void>();
  pty.onData((text) => {
    written += text;
    const endsFrame = written.lastIndexOf(frameEnd) >= written.lastIndexOf(frameBegin);
    view.write(text, () => {
      isWhole = endsFrame;
      for (const look of changed) look();
    });
  });
  // the terminal's replies to queries of the program (cursor position, device attributes)
  view.onData((answer) => pty.write(answer));
  let over: number | null = null;
  const ended = new Promise<number>((resolve) => {
    pty.onExit(({ exitCode }) => {
      // the callback of an empty write comes after all earlier output
      view.write('', () => {
        over = exitCode;
        for (const look of changed) look();
        resolve(exitCode);
      });
    });
  });

  const screen = (): string[] => {
    const { active } = view.buffer;
    return Array.from(
      { length: view.rows },
      (_, row) =>
        active
          .getLine(active.viewportY + row)
          ?.translateToString(true)
          .trimEnd() ?? '',
    );
  };
  const shows = (what: string | RegExp): boolean => {
    const text = screen().join('\n');
    return typeof what === 'string' ? text.includes(what) : what.test(text);
  };

  return {
    pid: pty.pid,
    screen,
    written: () => written,
    async waitFor(what, timeoutMs = 60_000) {
      return new Promise((resolve, reject) => {
        const stop = (): void => {
          clearTimeout(timer);
          changed.delete(look);
        };
        const look = (): void => {
          if (isWhole && shows(what)) {
            stop();
            resolve(screen());
          } else if (over !== null) {
            stop();
            reject(new Error(`It ended with ${over} without showing ${String(what)}:\n${frame(screen())}`));
          }
        };
        const timer = setTimeout(() => {
          stop();
          reject(new Error(`No ${String(what)} within ${timeoutMs} ms:\n${frame(screen())}`));
        }, timeoutMs);
        changed.add(look);
        look();
      });
    },
    press: (text) => pty.write(text),
    resize(newColumns, newRows) {
      view.resize(newColumns, newRows);
      pty.resize(newColumns, newRows);
    },
    ended,
    isRestored: () =>
      view.buffer.active.type === 'normal' &&
      written.lastIndexOf('\u001B[?1049l') > written.lastIndexOf('\u001B[?1049h') &&
      written.lastIndexOf('\u001B[?25h') > written.lastIndexOf('\u001B[?25l'),
    async close(signal = 'SIGHUP') {
      if (over === null) pty.kill(signal);
      const deadline = Date.now() + 15_000;
      for (let left = await inSession(pty.pid); left.length > 0; left = await inSession(pty.pid)) {
        if (Date.now() > deadline) {
          pty.kill('SIGKILL');
          throw new Error(`Still in the terminal's session: ${left.join(', ')}\n${frame(screen())}`);
        }
        await delay(20);
      }
      await ended;
    },
  };
}

/** Processes that were started in a terminal whose first process, and so its session, is `pid`; see proc(5). */
async function inSession(pid: number): Promise<string[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const sessions = await Promise.all(
    numbers.map(async (number) => {
      const text = await readFile(`/proc/${number}/stat`, 'utf8').catch(() => '');
      const [state, , , session] = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return state === 'Z' ? '' : session;
    }),
  );
  return numbers.filter((_, index) => sessions[index] === String(pid));
}

/** A screen for an error text. */
export function frame(lines: readonly string[]): string {
  return lines.map((line) => `|${line}`).join('\n');
}
