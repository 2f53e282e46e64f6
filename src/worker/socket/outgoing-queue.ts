import { diff } from './patch.js';
import type { Message } from './protocol.js';

/** Makes a message from a change of a view. */
export type ToMessage = (patch: unknown) => Message;

/** Messages that wait to be sent to one client. */
export interface OutgoingQueue {
  /** Queues a message; resolves when it is sent. The caller limits the number of messages. */
  post(message: Message): Promise<void>;
  /** Updates a view. Only the newest version is sent; those since the last one that was sent are skipped. */
  show(key: string, newest: unknown, toMessage: ToMessage): void;
  /** Stops sending a view. */
  forget(key: string): void;
  /** The client accepts messages again. */
  drained(): void;
}

interface View {
  sent: unknown;
  newest: unknown;
  toMessage: ToMessage;
}

/**
 * A client that reads slowly gets the newest version of each view when it is ready. The queue is bounded: one version of each view,
 * and the responses to the client's pending requests.
 * @param write sends a message; returns whether another one can be sent immediately
 */
export function createOutgoingQueue(write: (message: Message) => boolean): OutgoingQueue {
  const posted: { message: Message; sent: () => void }[] = [];
  const views = new Map<string, View>();
  const changed = new Set<string>();
  let isWritable = true;

  function nextMessage(): Message | null {
    const answer = posted.shift();
    if (answer !== undefined) {
      answer.sent();
      return answer.message;
    }
    for (const key of changed) {
      changed.delete(key);
      const view = views.get(key);
      if (view === undefined) continue;
      const patch = diff(view.sent, view.newest);
      if (patch === null) continue;
      view.sent = view.newest;
      return view.toMessage(patch);
    }
    return null;
  }

  function flush(): void {
    while (isWritable) {
      const message = nextMessage();
      if (message === null) return;
      isWritable = write(message);
    }
  }

  return {
    post: async (message) =>
      new Promise((sent) => {
        posted.push({ message, sent });
        flush();
      }),
    show(key, newest, toMessage) {
      const known = views.get(key);
      if (known === undefined) views.set(key, { sent: undefined, newest, toMessage });
      else known.newest = newest;
      changed.add(key);
      flush();
    },
    forget(key) {
      views.delete(key);
      changed.delete(key);
    },
    drained() {
      isWritable = true;
      flush();
    },
  };
}
