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
  /** What a client has to know. */
  cookie: string;
  /** Who serves. */
  pid: number;
  host: string;
  version: string;
  log: Log;
}

/**
 * Serves one client to its end. Whatever it sends harms nobody but itself: each line is checked, refused with a sentence
 * where it is none of ours, and read only as fast as the ones before are answered.
 * @param leaving aborts, with a sentence as its reason, when the worker stops
 */
export async function handleConnection(
  socket: Socket,
  served: HandledConnection,
  leaving: AbortSignal,
): Promise<void> {
  const closed = once(socket, 'close').catch(() => undefined);
  let longest: number = limits.helloBytes;
  // the last line that it is sent goes out after its lines are no longer read
  const lines = readLines(socket.iterator({ destroyOnReturn: false }), () => longest);
  const impatience = setTimeout(() => socket.destroy(), limits.helloMs);
  const over = new AbortController();
  try {
    const first = await lines.next();
    clearTimeout(impatience);
    if (first.done === true) return;
    const greeted = readHello(first.value, served);
    if (typeof greeted === 'string') {
      socket.end(toLine({ say: 'refused', id: null, said: greeted } satisfies Message));
      return;
    }
    longest = limits.requestBytes;
    const mailbox = createOutgoingQueue((message) => !socket.writableEnded && socket.write(toLine(message)));
    socket.on('drain', () => mailbox.drained());
    leaving.addEventListener(
      'abort',
      () => socket.end(toLine({ say: 'bye', said: String(leaving.reason) } satisfies Message)),
      { signal: over.signal },
    );
    const { pid, host, log } = served;
    log.info({ readOnly: greeted.readOnly }, 'a console attaches');
    void mailbox.post({ say: 'welcome', pid, host, readOnly: greeted.readOnly });
    const handle = greeted.readOnly ? readOnlyHandle(served.handle) : served.handle;
    const take = openSession(handle, mailbox, over.signal);
    for await (const line of lines) {
      await Promise.race([take(line), closed]);
      if (socket.destroyed) break;
    }
  } catch (error) {
    // it went away, or a line was too long: what follows such a line cannot be told apart from it
    if (!socket.destroyed) {
      socket.end(toLine({ say: 'refused', id: null, said: errorLine(error) } satisfies Message));
    }
  } finally {
    clearTimeout(impatience);
    over.abort();
    // a client that does not read its last line is not waited for
    setTimeout(() => socket.destroy(), limits.helloMs).unref();
    await closed;
  }
}

/** The hello, or why there is no welcome. */
function readHello(line: string, { cookie, version }: HandledConnection): Hello | string {
  const parsed = hello.safeParse(parseJson(line));
  if (!parsed.success) return 'That is no hello of dsa-slurm.';
  if (!isEqual(parsed.data.cookie, cookie)) return 'The cookie is not that of this worker.';
  if (parsed.data.protocol !== protocol || parsed.data.version !== version) {
    return `The worker is dsa-slurm ${version} (protocol ${protocol}) and this program is ${parsed.data.version} (protocol ${parsed.data.protocol}): restart the worker, whose jobs go on meanwhile, or use its version.`;
  }
  return parsed.data;
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** What a welcome client is given, and what becomes of its lines. The promise of a line means: the next one may come. */
function openSession(
  handle: WorkerHandle,
  mailbox: OutgoingQueue,
  over: AbortSignal,
): (line: string) => Promise<void> {
  const followed = new Map<number, () => void>();
  const questions = new PQueue({ concurrency: limits.openRequests });

  const showSnapshot = (): void => mailbox.show('snapshot', handle.snapshot(), toSnapshot);
  const beat = setInterval(() => mailbox.show('beat', Date.now(), toBeat), limits.beatMs);
  const deaf = handle.subscribe(showSnapshot);
  showSnapshot();
  over.addEventListener('abort', () => {
    clearInterval(beat);
    deaf();
    for (const stop of followed.values()) stop();
    followed.clear();
    questions.clear();
  });

  function follow(id: number, begin: (show: (view: unknown) => void) => () => void): Message | null {
    if (followed.has(id)) return refusal(id, `Something is followed as ${id} already.`);
    if (followed.size >= limits.followed) return refusal(id, 'This client follows too many things.');
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
      case 'intake':
        return value(await handle[asked.wish]());
      case 'runDetail':
        return value(await handle.runDetail(asked.run));
      case 'jobDetail':
        return value(await handle.jobDetail(asked.job));
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
    const said = asked.success
      ? async () => answer(asked.data).catch((error: unknown) => refusal(asked.data.id, errorLine(error)))
      : async () => refusal(idOf(line), 'That is no request of dsa-slurm.');
    void questions.add(async () => {
      const message = over.aborted ? null : await said();
      // until it is sent it counts as open
      if (message !== null) await mailbox.post(message);
    });
    await questions.onSizeLessThan(1);
  };
}

function refusal(id: number | null, said: string): Message {
  return { say: 'refused', id, said };
}

function toSnapshot(patch: unknown): Message {
  return { say: 'snapshot', patch };
}

function toBeat(): Message {
  return { say: 'beat' };
}

/** Undefined for what is no JSON. */
function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The number of a line that is otherwise no request. */
function idOf(line: string): number | null {
  const value = parseJson(line) as { id?: unknown } | null | undefined;
  const found = value?.id;
  return Number.isSafeInteger(found) && (found as number) >= 0 ? (found as number) : null;
}
