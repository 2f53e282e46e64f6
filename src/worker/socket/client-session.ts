import { toLine } from './lines.js';
import { applyPatch } from './patch.js';
import type { Message, Request } from './protocol.js';

/** A request without its id. */
export type PendingRequest = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

/** The client's side of the protocol: requests and their responses, and subscriptions that outlive connections. */
export interface ClientSession {
  /** Starts a connection: all subscriptions are requested again. */
  begin(write: (line: string) => void): void;
  /** Ends a connection: pending requests fail. */
  end(why: string): void;
  /** @param unanswered makes the result from the reason if there is no response */
  ask<T>(question: PendingRequest, unanswered: (message: string) => T): Promise<T>;
  /** @returns a function that unsubscribes */
  follow(question: PendingRequest, listener: (view: unknown) => void): () => void;
  /** Handles a message of the worker. @throws TypeError if its patch does not fit the view */
  take(message: Extract<Message, { say: 'answer' | 'refused' | 'view' }>): void;
}

interface Followed {
  question: PendingRequest;
  /** As received over the present connection. */
  view: unknown;
  listener: (view: unknown) => void;
}

export function createClientSession(): ClientSession {
  let write: ((line: string) => void) | null = null;
  let disconnected = 'it is not connected yet.';
  let lastId = 0;
  const open = new Map<number, { answer: (value: unknown) => void; refuse: (message: string) => void }>();
  const followed = new Map<number, Followed>();

  const say = (request: PendingRequest, id: number): void => write?.(toLine({ ...request, id }));

  return {
    begin(newWrite) {
      write = newWrite;
      for (const [id, one] of followed) {
        one.view = undefined;
        say(one.question, id);
      }
    },
    end(why) {
      write = null;
      disconnected = why;
      for (const { refuse } of open.values()) {
        refuse(`The connection was lost before the worker answered, and it may have done it: ${why}`);
      }
      open.clear();
    },
    async ask<T>(question: PendingRequest, unanswered: (message: string) => T) {
      if (write === null) return unanswered(`The worker is not connected: ${disconnected}`);
      const id = ++lastId;
      return new Promise<T>((resolve) => {
        open.set(id, {
          answer: (value) => resolve(value as T),
          refuse: (message) => resolve(unanswered(message)),
        });
        say(question, id);
      });
    },
    follow(question, listener) {
      const id = ++lastId;
      followed.set(id, { question, view: undefined, listener });
      say(question, id);
      return () => {
        if (followed.delete(id)) write?.(toLine({ ask: 'stop', id } satisfies Request));
      };
    },
    take(message) {
      switch (message.say) {
        case 'answer':
          open.get(message.id)?.answer(message.value);
          open.delete(message.id);
          return;
        case 'refused':
          if (message.id === null) return;
          open.get(message.id)?.refuse(message.reason);
          open.delete(message.id);
          return;
        case 'view': {
          // messages can still arrive after unsubscribing
          const one = followed.get(message.id);
          if (one === undefined) return;
          one.view = applyPatch(one.view, message.patch);
          one.listener(one.view);
        }
      }
    },
  };
}
