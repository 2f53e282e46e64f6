import { styleText } from 'node:util';
import { confirm, input, password, select } from '@inquirer/prompts';
import { AbortPromptError, ExitPromptError } from '@inquirer/core';
import { Stopped, type Asker } from './prompter.js';

/** Where prompts read from and write to. */
export interface PromptStreams {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  signal: AbortSignal;
}

const back = '<';

/** What all prompts look like: the proposal in brackets, complaints without a decoration of their own. */
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

/** A person at a real terminal, asked with @inquirer/prompts. */
export function createAsker({ input: stdin, output, signal }: PromptStreams): Asker {
  const context = { input: stdin, output, signal };

  return {
    say: (text = '') => void output.write(`${text}\n`),
    async text({ message, proposal, hidden, onEnter, check }) {
      const validate = async (text: string): Promise<string | true> => {
        if (text.trim() === back) return true;
        return (await check(text)) ?? true;
      };
      const text = await asking(() =>
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
      const value = await asking(() =>
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
    yesNo: (message, proposal) => asking(() => confirm({ message, default: proposal, theme }, context)),
    async wait(work) {
      const done = new AbortController();
      const putOff = new AbortController();
      const ends = AbortSignal.any([done.signal, putOff.signal, signal]);
      const show = (line: string): void => {
        if (!ends.aborted) output.write(`\r\u001B[2K${line.slice(0, (output.columns ?? 80) - 1)}`);
      };
      const off = listenForKeys(stdin, (key) => {
        if (key === 's' || key === 'S') putOff.abort();
        if (key === '\u0003') done.abort(new Stopped());
      });
      try {
        const ended = new Promise<'put-off'>((resolve, reject) => {
          putOff.signal.addEventListener('abort', () => resolve('put-off'), { once: true });
          for (const each of [done.signal, signal]) {
            each.addEventListener('abort', () => reject(new Stopped()), { once: true });
          }
        });
        return await Promise.race([work(show, ends), ended]);
      } finally {
        off();
        output.write('\r\u001B[2K');
        done.abort();
      }
    },
  };
}

/** What @inquirer/prompts throws for Ctrl-C and for our signal, in our own words. */
async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    if (thrown instanceof ExitPromptError || thrown instanceof AbortPromptError) throw new Stopped();
    throw thrown;
  }
}

/** Single keys, unseen, until the returned function is called. */
function listenForKeys(stdin: PromptStreams['input'], onKey: (key: string) => void): () => void {
  const terminal = stdin as NodeJS.ReadStream;
  const hear = (chunk: Buffer | string): void => {
    for (const key of String(chunk)) onKey(key);
  };
  terminal.setRawMode?.(true);
  terminal.on('data', hear);
  terminal.resume();
  return () => {
    terminal.off('data', hear);
    terminal.pause();
    terminal.setRawMode?.(false);
  };
}
