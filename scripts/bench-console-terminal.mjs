// A program in a pseudo terminal of its own, and how long it takes to answer.
import { readFileSync } from 'node:fs';

import { spawn } from '@lydell/node-pty';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a program on a terminal of this size. */
export function openTerminal(program, args, { columns, rows, env = {} }) {
  const startedAt = performance.now();
  const pty = spawn(program, args, {
    name: 'xterm-256color',
    cols: columns,
    rows,
    env: { ...process.env, TERM: 'xterm-256color', ...env },
  });
  let bytes = 0;
  let beginning = '';
  const waiting = new Set();
  pty.onData((data) => {
    bytes += Buffer.byteLength(data);
    if (beginning.length < 1_000_000) beginning += data;
    for (const look of waiting) look();
  });
  const ended = new Promise((resolve) => pty.onExit(resolve));

  /** Resolves with the time at which `isSo` held, checked after each output. */
  const until = (isSo, what) =>
    new Promise((resolve, reject) => {
      const look = () => {
        if (!isSo()) return;
        stop();
        resolve(performance.now());
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`${what} was not drawn within 60 s`));
      }, 60_000);
      const stop = () => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });

  return {
    bytes: () => bytes,
    ended,
    /** Milliseconds from the start until the text was written. */
    shown: async (text) => (await until(() => beginning.includes(text), text)) - startedAt,
    /** Milliseconds from the key until something was written. */
    async answer(key) {
      const [before, pressedAt] = [bytes, performance.now()];
      pty.write(key);
      return (await until(() => bytes > before, `the answer to ${JSON.stringify(key)}`)) - pressedAt;
    },
    /**
     * CPU milliseconds so far and resident megabytes, now and at most, as the kernel counts them: proc(5). Private: without the
     * program file of Node.js, which all processes share.
     */
    usage() {
      const fields = readFileSync(`/proc/${pty.pid}/stat`, 'utf8').split(') ')[1].split(' ');
      const status = readFileSync(`/proc/${pty.pid}/status`, 'utf8');
      const megabytes = (name) => (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) * 1_024) / 1e6;
      return {
        cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
        residentMb: megabytes('VmRSS'),
        mostMb: megabytes('VmHWM'),
        privateMb: megabytes('RssAnon'),
      };
    },
    press: (text) => pty.write(text),
    kill: () => pty.kill(),
  };
}

/** Presses the keys in turn, `count` times, at a person's pace; the milliseconds of each answer, in order. */
export async function pressKeys(terminal, keys, count) {
  const times = [];
  for (let index = 0; index < count; index += 1) {
    times.push(await terminal.answer(keys[index % keys.length]));
    // never in step with the screen's own pace
    await sleep(45 + (index % 13) * 5);
  }
  return times.sort((a, b) => a - b);
}

export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
