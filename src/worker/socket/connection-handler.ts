import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';

import PQueue from 'p-queue';

import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { WorkerHandle } from '../views/handle.js';
import { readOnlyHandle } from '../open/read-only-handle.js';
import { readLines, toLine } from './lines.js';
import { createOutgoingQueue, type OutgoingQueue } from './outgoing-queue.js';
import { hello, limits, protocol, request, type Hello, type Message, type Request } from './protocol.js';

export interface HandledConnection {
  handle: WorkerHandle;
  /** Secret that a client must present. */
  cookie: string;
  /** Identity of the worker. */
  pid: number;
  host: string;
  version: string;
  log: Log;
}

/**
 * Serves one client until it disconnects. A client can harm only itself: each line is validated, rejected with a message if it is
 * invalid, and read only as fast as the previous ones are answered.
 * @param leaving aborts when the worker stops; its reason is a message for the client
 */
export async function handleConnection(
  socket: Socket,
  served: HandledConnection,
  leaving: AbortSignal,
): Promise<void> {
  const closed = once(socket, 'close').catch(() => undefined);
  let maxBytes: number = limits.helloBytes;
  // the socket must stay open for the last message when reading ends
  const lines = readLines(socket.iterator({ destroyOnReturn: false }), () => maxBytes);
  const helloTimer = setTimeout(() => socket.destroy(), limits.helloMs);
  const over = new AbortController();
  try {
    const first = await lines.next();
    clearTimeout(helloTimer);
    if (first.done === true) return;
    const greeted = readHello(first.value, served);
    if (typeof greeted === 'string') {
      socket.end(toLine({ say: 'refused', id: null, reason: greeted } satisfies Message));
      return;
    }
    maxBytes = limits.requestBytes;
    const mailbox = createOutgoingQueue((message) => !socket.writableEnded && socket.write(toLine(message)));
    socket.on('drain', () => mailbox.drained());
    leaving.addEventListener(
      'abort',
      () => socket.end(toLine({ say: 'bye', reason: String(leaving.reason) } satisfies Message)),
      { signal: over.signal },
    );
    const { pid, host, log } = served;
    log.info({ readOnly: greeted.readOnly }, 'a console attached');
    void mailbox.post({ say: 'welcome', pid, host, readOnly: greeted.readOnly });
    const handle = greeted.readOnly ? readOnlyHandle(served.handle) : served.handle;
    const take = openSession(handle, mailbox, over.signal);
    for await (const line of lines) {
      await Promise.race([take(line), closed]);
      if (socket.destroyed) break;
    }
  } catch (error) {
    // the client disconnected, or a line was too long, after which the stream cannot be parsed
    if (!socket.destroyed) {
      socket.end(toLine({ say: 'refused', id: null, reason: errorLine(error) } satisfies Message));
    }
  } finally {
    clearTimeout(helloTimer);
    over.abort();
    // do not wait for a client that does not read its last message
    setTimeout(() => socket.destroy(), limits.helloMs).unref();
    await closed;
  }
}

/** Parses the hello; returns a message if it is rejected. */
function readHello(line: string, { cookie, version }: HandledConnection): Hello | string {
  const parsed = hello.safeParse(parseJson(line));
  if (!parsed.success) return 'That is not a hello of dsa-slurm.';
  if (!isEqual(parsed.data.cookie, cookie)) return 'The cookie is not that of this worker.';
  if (parsed.data.protocol !== protocol || parsed.data.version !== version) {
    return `The worker is dsa-slurm ${version} (protocol ${protocol}) and this program is ${parsed.data.version} (protocol ${parsed.data.protocol}): restart the worker (its jobs continue), or use its version.`;
  }
  return parsed.data;
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Serves an accepted client. The returned function handles a line; its promise resolves when the next one can be read. */
function openSession(
  handle: WorkerHandle,
  mailbox: OutgoingQueue,
  over: AbortSignal,
): (line: string) => Promise<void> {
  const followed = new Map<number, () => void>();
  const questions = new PQueue({ concurrency: limits.openRequests });

  const showSnapshot = (): void => mailbox.show('snapshot', handle.snapshot(), toSnapshot);
  const beat = setInterval(() => mailbox.show('beat', Date.now(), toBeat), limits.beatMs);
  const unsubscribe = handle.subscribe(showSnapshot);
  showSnapshot();
  over.addEventListener('abort', () => {
    clearInterval(beat);
    unsubscribe();
    for (const stop of followed.values()) stop();
    followed.clear();
    questions.clear();
  });

  function follow(id: number, begin: (show: (view: unknown) => void) => () => void): Message | null {
    if (followed.has(id)) return refusal(id, `The id ${id} is in use already.`);
    if (followed.size >= limits.followed) return refusal(id, 'This client has too many subscriptions.');
    const key = `view ${id}`;
    let isWanted = true;
    const stop = begin((view) => {
      if (isWanted) mailbox.show(key, view, (patch) => ({ say: 'view', id, patch }));
    });
    followed.set(id, () => {
      isWanted = false;
      stop();
      mailbox.forget(key);
    });
    return null;
  }

  async function answer(asked: Request): Promise<Message | null> {
    const { id } = asked;
    const value = (value: unknown): Message => ({ say: 'answer', id, value });
    switch (asked.ask) {
      case 'act':
        return value(await handle.act(asked.action));
      case 'changeNodes':
        return value(await handle.changeNodes(asked.change, asked.nodes));
      case 'intake':
        return value(await handle[asked.wish]());
      case 'runDetail':
        return value(await handle.runDetail(asked.run));
      case 'jobDetail':
        return value(await handle.jobDetail(asked.job));
      case 'jobScript':
        return value(await handle.jobScript(asked.job));
      case 'imageDetail':
        return value(await handle.imageDetail(asked.file));
      case 'watch':
        return follow(id, (show) => handle.watch(asked.what, show));
      case 'followLog':
        return follow(id, (show) => handle.followLog(asked.run, show));
      case 'stop':
        followed.get(id)?.();
        followed.delete(id);
        return null;
    }
  }

  return async (line) => {
    const asked = request.safeParse(parseJson(line));
    const respond = asked.success
      ? async () => answer(asked.data).catch((error: unknown) => refusal(asked.data.id, errorLine(error)))
      : async () => refusal(idOf(line), 'That is not a request of dsa-slurm.');
    void questions.add(async () => {
      const message = over.aborted ? null : await respond();
      // a request is pending until its response is sent
      if (message !== null) await mailbox.post(message);
    });
    await questions.onSizeLessThan(1);
  };
}

function refusal(id: number | null, reason: string): Message {
  return { say: 'refused', id, reason };
}

function toSnapshot(patch: unknown): Message {
  return { say: 'snapshot', patch };
}

function toBeat(): Message {
  return { say: 'beat' };
}

/** Undefined for invalid JSON. */
function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The id of an invalid request; null if it has none. */
function idOf(line: string): number | null {
  const value = parseJson(line) as { id?: unknown } | null | undefined;
  const found = value?.id;
  return Number.isSafeInteger(found) && (found as number) >= 0 ? (found as number) : null;
}
