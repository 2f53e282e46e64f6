import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'undici';
import { describeFailure, createRunner } from '../../src/base/command.js';
import { errorLine } from '../../src/base/errors.js';
import { installTestPackages } from '../support/test-packages.js';

/** A page in a headless Chromium, steered through the Chrome DevTools Protocol as a user would: by mouse and keyboard. */
export interface Page {
  goto(url: string): Promise<void>;
  /** Evaluates an expression in the page; its value must be serializable as JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until the expression is truthy, and returns its value. @throws Error with the text of the page */
  until<T>(expression: string, timeoutMs?: number): Promise<T>;
  /** Clicks with the mouse in the middle of the first visible element of this selector, which contains `text`. */
  click(selector: string, text?: string): Promise<void>;
  /** Clicks into a field and types. */
  type(selector: string, text: string): Promise<void>;
  /** A picture of the page, in PNG. */
  screenshot(): Promise<Buffer>;
  close(): Promise<void>;
}

/** The Chromium of this machine, installed with apt if possible; otherwise the reason why it is missing. */
export async function findChromium(): Promise<{ file: string } | { why: string }> {
  const run = createRunner({ env: process.env });
  for (const file of ['chromium', 'chromium-browser', 'google-chrome']) {
    if (describeFailure(await run(file, ['--version'], { timeoutMs: 20_000 })) === '') return { file };
  }
  try {
    await installTestPackages(run, [{ name: 'chromium', probe: ['chromium', '--version'] }]);
    return { file: 'chromium' };
  } catch (error) {
    return { why: `Chromium is missing, and apt-get could not install it: ${errorLine(error)}` };
  }
}

const startMs = 60_000;
const usualMs = 60_000;

/** Opens an empty page in a browser of its own. */
export async function openPage(chromium: string): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), 'dsa-slurm-chromium-'));
  const args = [
    '--headless=new',
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
    '--no-first-run',
    '--disable-gpu',
    // slides are drawn with WebGL
    '--enable-unsafe-swiftshader',
    '--disable-dev-shm-usage',
    '--window-size=1400,1000',
    // Chromium refuses to run as root with it
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    'about:blank',
  ];
  const child = spawn(chromium, args, { stdio: 'ignore', detached: true });
  const ended = once(child, 'close');
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  };
  process.once('exit', kill);
  const close = async (): Promise<void> => {
    kill();
    await ended;
    process.off('exit', kill);
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const port = await debuggingPort(profile);
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
      type: string;
      webSocketDebuggerUrl: string;
    }[];
    const target = targets.find(({ type }) => type === 'page');
    if (target === undefined) throw new Error('Chromium has no page.');
    const send = await connect(target.webSocketDebuggerUrl);
    return { ...pageOf(send), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Chromium writes the port that it has chosen into its profile. */
async function debuggingPort(profile: string): Promise<string> {
  const deadline = performance.now() + startMs;
  for (;;) {
    const text = await readFile(join(profile, 'DevToolsActivePort'), 'utf8').catch(() => '');
    const [port = ''] = text.split('\n');
    if (text.includes('\n')) return port;
    if (performance.now() > deadline) throw new Error(`Chromium has not started within ${startMs} ms.`);
    await delay(100);
  }
}

type Send = <T>(method: string, params?: object) => Promise<T>;

async function connect(url: string): Promise<Send> {
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('Chromium cannot be connected to.')));
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number;
      result?: unknown;
      error?: { message: string };
    };
    const one = id === undefined ? undefined : waiting.get(id);
    if (id === undefined || one === undefined) return;
    waiting.delete(id);
    if (error === undefined) one.resolve(result);
    else one.reject(new Error(error.message));
  });
  socket.addEventListener('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('Chromium has ended.'));
  });
  let last = 0;
  return async <T>(method: string, params: object = {}) => {
    last += 1;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    waiting.set(last, { resolve, reject });
    socket.send(JSON.stringify({ id: last, method, params }));
    return (await promise) as T;
  };
}

function pageOf(send: Send): Omit<Page, 'close'> {
  async function evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await send<{
      result: { value?: T };
      exceptionDetails?: { exception?: { description?: string }; text: string };
    }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as T;
  }

  async function until<T>(expression: string, timeoutMs = usualMs): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      // while a page is replaced by the next one, there is nothing to ask
      const found = await evaluate<T | null>(expression).catch(() => null);
      if (found) return found;
      if (performance.now() > deadline) {
        const text = await evaluate<string>('document.body.innerText').catch(String);
        throw new Error(
          `Not so within ${timeoutMs} ms: ${expression}\nThe page says:\n${text.slice(0, 4_000)}`,
        );
      }
      await delay(100);
    }
  }

  async function click(selector: string, text = ''): Promise<void> {
    const { x, y } = await until<{ x: number; y: number }>(
      `(async () => {
        for (const element of document.querySelectorAll(${JSON.stringify(selector)})) {
          if (!element.textContent.includes(${JSON.stringify(text)}) || !element.checkVisibility()) continue;
          element.scrollIntoView({ block: 'center', behavior: 'instant' });
          const before = element.getBoundingClientRect();
          for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
          const { left, top, width, height } = element.getBoundingClientRect();
          // a dialog that is still moving into its place
          if (left !== before.left || top !== before.top) return null;
          const [x, y] = [left + width / 2, top + height / 2];
          // something that still lies above it, such as a dialog that fades away, would get the click
          const above = document.elementFromPoint(x, y);
          if (width > 0 && (element.contains(above) || above?.contains(element))) return { x, y };
        }
        return null;
      })()`,
    );
    const at = { x, y, button: 'left', clickCount: 1 };
    for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased'])
      await send('Input.dispatchMouseEvent', { type, ...at });
  }

  return {
    evaluate,
    until,
    click,
    async goto(url) {
      await send('Page.navigate', { url });
      await until(`document.readyState === 'complete' && location.href !== 'about:blank'`);
    },
    async type(selector, text) {
      const field = `document.querySelector(${JSON.stringify(selector)})`;
      // a dialog may move the focus into a field of its own once it stands
      for (;;) {
        await click(selector);
        if (await evaluate<boolean>(`document.activeElement === ${field}`)) break;
      }
      await send('Input.insertText', { text });
      await until(`${field}.value === ${JSON.stringify(text)}`);
    },
    async screenshot() {
      const { data } = await send<{ data: string }>('Page.captureScreenshot', { format: 'png' });
      return Buffer.from(data, 'base64');
    },
  };
}
