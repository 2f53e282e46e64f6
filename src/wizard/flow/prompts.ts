import { styleText } from 'node:util';
import { confirm, input, password, select } from '@inquirer/prompts';
import { AbortPromptError, ExitPromptError } from '@inquirer/core';
import { Stopped, type Prompter } from './prompter.js';

/** Streams of the prompts. */
interface PromptStreams {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  signal: AbortSignal;
}

const back = '<';

/** Theme of all prompts: the proposal in brackets, and errors without the default decoration. */
const theme = {
  prefix: { idle: styleText('blue', '?'), done: styleText('green', '✓') },
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
  const context = { input: stdin, output, signal };

  return {
    print: (text = '') => void output.write(`${text}\n`),
    async text({ message, proposal, hidden, onEnter, check }) {
      const validate = async (text: string): Promise<string | true> => {
        if (text.trim() === back) return true;
        return (await check(text)) ?? true;
      };
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
      return text.trim() === back ? { kind: 'back' } : { kind: 'text', text };
    },
    async choose({ message, choices, proposal, back: mayGoBack }) {
      const all = [...choices, ...(mayGoBack ? [{ value: back, name: styleText('dim', '< go back') }] : [])];
      const value = await stoppable(() =>
        select(
          {
            message,
            choices: all.map((choice) => ({
              ...choice,
              short: choice.value === '-' ? 'none' : choice.value,
            })),
            ...(proposal === undefined ? {} : { default: proposal }),
            loop: false,
            pageSize: 10,
            theme,
          },
          context,
        ),
      );
      return value === back ? { kind: 'back' } : { kind: 'text', text: value };
    },
    confirm: (message, proposal) => stoppable(() => confirm({ message, default: proposal, theme }, context)),
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
