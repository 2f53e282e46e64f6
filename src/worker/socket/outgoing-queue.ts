import { diff } from './patch.js';
import type { Message } from './protocol.js';

/** Makes a message of what has changed in a view. */
export type ToMessage = (patch: unknown) => Message;

/** What is to be sent to one client. */
export interface OutgoingQueue {
  /** Something that is sent in any case, in its turn. Resolves when it is; whoever posts bounds how many there are. */
  post(message: Message): Promise<void>;
  /** A view in its newest version: what came between the last one that was sent and this one is never sent. */
  show(key: string, newest: unknown, toMessage: ToMessage): void;
  /** Nothing more of a view. */
  forget(key: string): void;
  /** The client takes messages again. */
  drained(): void;
}

interface View {
  sent: unknown;
  newest: unknown;
  toMessage: ToMessage;
}

/**
 * A client that reads slowly gets the newest of everything when it is ready for it: what waits for it here is one version
 * of each view at most, and the answers to the few questions that it may have open.
 * @param write sends a message, and says whether it takes another one at once
 */
export function createOutgoingQueue(write: (message: Message) => boolean): OutgoingQueue {
  const posted: { message: Message; sent: () => void }[] = [];
  const views = new Map<string, View>();
  const changed = new Set<string>();
  let isFree = true;

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
    while (isFree) {
      const message = nextMessage();
      if (message === null) return;
      isFree = write(message);
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
      isFree = true;
      flush();
    },
  };
}
