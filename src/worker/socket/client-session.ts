import { toLine } from './lines.js';
import { applyPatch } from './patch.js';
import type { Message, Request } from './protocol.js';

/** A request without its number. */
export type PendingRequest = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

/** The client's half of what is said: questions with their answers, and what is followed over all connections. */
export interface ClientSession {
  /** A connection is there: everything that is followed is asked for anew. */
  begin(write: (line: string) => void): void;
  /** The connection is gone: what is open has no answer. */
  end(why: string): void;
  /** @param unanswered makes the answer where none comes, of the reason */
  ask<T>(question: PendingRequest, unanswered: (said: string) => T): Promise<T>;
  /** @returns the way to stop */
  follow(question: PendingRequest, listener: (view: unknown) => void): () => void;
  /** Takes what the worker said to a question. @throws TypeError if it does not fit what was said before */
  take(message: Extract<Message, { say: 'answer' | 'refused' | 'view' }>): void;
}

interface Followed {
  question: PendingRequest;
  /** Of the present connection. */
  view: unknown;
  listener: (view: unknown) => void;
}

export function createClientSession(): ClientSession {
  let write: ((line: string) => void) | null = null;
  let silence = 'it was not asked yet';
  let lastId = 0;
  const open = new Map<number, { answer: (value: unknown) => void; refuse: (said: string) => void }>();
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
      silence = why;
      for (const { refuse } of open.values()) {
        refuse(`The worker went away before it answered, and may have done it: ${why}`);
      }
      open.clear();
    },
    async ask<T>(question: PendingRequest, unanswered: (said: string) => T) {
      if (write === null) return unanswered(`The worker cannot be asked at present: ${silence}`);
      const id = ++lastId;
      return new Promise<T>((resolve) => {
        open.set(id, {
          answer: (value) => resolve(value as T),
          refuse: (said) => resolve(unanswered(said)),
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
          open.get(message.id)?.refuse(message.said);
          open.delete(message.id);
          return;
        case 'view': {
          // the last ones may be under way when it is no longer followed
          const one = followed.get(message.id);
          if (one === undefined) return;
          one.view = applyPatch(one.view, message.patch);
          one.listener(one.view);
        }
      }
    },
  };
}
