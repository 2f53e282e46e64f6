import { styleText } from 'node:util';
import { input, password, search, select } from '@inquirer/prompts';
import { AbortPromptError, ExitPromptError } from '@inquirer/core';
import { style } from './output.js';
import { Stopped, type Prompter } from './prompter.js';

/** Streams of the prompts. */
interface PromptStreams {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };
  signal: AbortSignal;
}

const back = '<';
const help = '?';

/** Longer lists are searched by typing. */
const maxListed = 10;
/** Milliseconds after which work is worth a spinner. */
const busyAfterMs = 300;
const spinnerMs = 80;
const frames = ['|', '/', '-', '\\'];

/** Theme of all prompts: the proposal in brackets, and errors without the default decoration. */
const theme = {
  prefix: { idle: styleText('blue', '?'), done: style.good },
  style: {
    message: (text: string) => text,
    defaultAnswer: (text: string) => styleText('dim', `[${text}]`),
    error: (text: string) => styleText('red', `✗ ${text}`),
    keysHelpTip: () => undefined,
    maskedText: '(hidden)',
  },
};

/** A {@link Prompter} on a real terminal, with @inquirer/prompts. */
export function createPrompter({ input: stdin, output, signal }: PromptStreams): Prompter {
  // the line of an accepted answer is printed here: `<` and `?` are no answers
  const context = { input: stdin, output, signal, clearPromptOnDone: true };
  const print = (text = ''): void => void output.write(`${text}\n`);
  const printAnswer = (message: string, answer: string): void =>
    print(`${style.good} ${message} ${styleText('cyan', answer)}`);

  return {
    print,
    async text({ message, proposal, hidden, onEnter, help: explanation, check }) {
      const validate = async (text: string): Promise<string | true> => {
        if ([back, help].includes(text.trim())) return true;
        return (await check(text)) ?? true;
      };
      for (;;) {
        const text = await stoppable(() =>
          hidden
            ? password(
                {
                  message: `${message}${onEnter === undefined ? '' : styleText('dim', ` [Enter ${onEnter}]`)}`,
                  toggleMask: false,
                  validate,
                  theme,
                },
                context,
              )
            : input(
                { message, ...(proposal === undefined ? {} : { default: proposal }), validate, theme },
                context,
              ),
        );
        if (text.trim() === back) return { kind: 'back' };
        if (text.trim() === help) print(explanation);
        else {
          const shown = hidden ? (text === '' ? `(Enter ${onEnter ?? ''})` : '(hidden)') : text;
          printAnswer(message, shown);
          return { kind: 'text', text };
        }
      }
    },
    async choose({ message, choices, proposal, back: mayGoBack, help: explanation }) {
      const extra = [
        ...(mayGoBack ? [{ value: back, name: styleText('dim', '< go back') }] : []),
        ...(explanation === undefined ? [] : [{ value: help, name: styleText('dim', '? explain') }]),
      ];
      const config = { message, pageSize: maxListed, theme };
      const initial = proposal === undefined ? {} : { default: proposal };
      for (;;) {
        const value = await stoppable(() =>
          choices.length > maxListed
            ? search(
                {
                  ...config,
                  ...initial,
                  message: `${message} ${styleText('dim', '(type to search)')}`,
                  source: (term = '') => [...choices.filter(({ name }) => contains(name, term)), ...extra],
                },
                context,
              )
            : select({ ...config, ...initial, choices: [...choices, ...extra], loop: false }, context),
        );
        if (value === back) return { kind: 'back' };
        if (value === help) print(explanation);
        else {
          printAnswer(message, choices.find((choice) => choice.value === value)?.name.trim() ?? value);
          return { kind: 'text', text: value };
        }
      }
    },
    async confirm(message, proposal, explanation) {
      for (;;) {
        const text = await stoppable(() =>
          input(
            {
              message: `${message} ${styleText('dim', proposal ? '[Y/n]' : '[y/N]')}`,
              validate: (typed) =>
                /^(y|yes|n|no|<|\?|)$/i.test(typed.trim()) || 'Answer y or n; < goes back, ? explains.',
              theme,
            },
            context,
          ),
        );
        const word = text.trim().toLowerCase();
        if (word === back) return 'back';
        if (word === help) print(explanation);
        else {
          const answer = word === '' ? proposal : word.startsWith('y');
          printAnswer(message, answer ? 'yes' : 'no');
          return answer;
        }
      }
    },
    async page(text) {
      const lines = text.split('\n');
      const height = Math.max(5, (output.rows ?? 24) - 2);
      for (let at = 0; at < lines.length; at += height) {
        print(lines.slice(at, at + height).join('\n'));
        const rest = lines.length - at - height;
        if (rest <= 0) return;
        const message = styleText('dim', `${rest} more lines: Enter goes on, q ends`);
        const typed = await stoppable(() => input({ message, theme }, context));
        if (/^q/i.test(typed.trim())) return;
      }
    },
    async busy(message, work) {
      if (output.isTTY !== true) return work();
      let frame = 0;
      const draw = (): void => {
        frame += 1;
        const text = `${frames[frame % frames.length] ?? ''} ${message} …`;
        output.write(`\r\u001B[2K${text.slice(0, (output.columns ?? 80) - 1)}`);
      };
      let ticking: NodeJS.Timeout | undefined;
      const timer = setTimeout(() => {
        draw();
        ticking = setInterval(draw, spinnerMs);
      }, busyAfterMs);
      try {
        return await work();
      } finally {
        clearTimeout(timer);
        clearInterval(ticking);
        if (frame > 0) output.write('\r\u001B[2K');
      }
    },
    async wait(work) {
      const done = new AbortController();
      const postpone = new AbortController();
      const ended = AbortSignal.any([done.signal, postpone.signal, signal]);
      const show = (line: string): void => {
        if (!ended.aborted) output.write(`\r\u001B[2K${line.slice(0, (output.columns ?? 80) - 1)}`);
      };
      const off = listenForKeys(stdin, (key) => {
        if (key === 's' || key === 'S') postpone.abort();
        if (key === '\u0003') done.abort(new Stopped());
      });
      try {
        const stopped = new Promise<'postponed'>((resolve, reject) => {
          postpone.signal.addEventListener('abort', () => resolve('postponed'), { once: true });
          for (const each of [done.signal, signal]) {
            each.addEventListener('abort', () => reject(new Stopped()), { once: true });
          }
        });
        return await Promise.race([work(show, ended), stopped]);
      } finally {
        off();
        output.write('\r\u001B[2K');
        done.abort();
      }
    },
  };
}

function contains(name: string, term: string): boolean {
  return name.toLowerCase().includes(term.trim().toLowerCase());
}

/** Translates what @inquirer/prompts throws for Ctrl-C and for the abort signal. */
async function stoppable<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    if (thrown instanceof ExitPromptError || thrown instanceof AbortPromptError) throw new Stopped();
    throw thrown;
  }
}

/** Reads single keys without echo. @returns a function that stops it */
function listenForKeys(stdin: PromptStreams['input'], onKey: (key: string) => void): () => void {
  const terminal = stdin as NodeJS.ReadStream;
  const onData = (chunk: Buffer | string): void => {
    for (const key of String(chunk)) onKey(key);
  };
  terminal.setRawMode?.(true);
  terminal.on('data', onData);
  terminal.resume();
  return () => {
    terminal.off('data', onData);
    terminal.pause();
    terminal.setRawMode?.(false);
  };
}
