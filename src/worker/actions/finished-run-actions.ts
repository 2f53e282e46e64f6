import PQueue from 'p-queue';

import { errorLine } from '../../base/errors.js';
import { createWords } from '../reporting/result-message.js';
import type { Book } from '../run-state/run-store.js';
import type { CommandAnswer } from '../views/handle.js';
import type { KeptMessages } from '../run-state/retry-messages.js';
import type { Retries } from './retry.js';

/** What can be done to runs that have ended. */
export interface PastActions {
  retry(ids: readonly string[]): Promise<CommandAnswer>;
  forget(ids: readonly string[]): Promise<CommandAnswer>;
}

export interface PastTools {
  book: Book;
  messages: KeptMessages;
  retries: Retries;
}

/** Questions to Girder at one time. */
const atOnce = 8;
/** Sentences about single runs; of more than that it is only said how many there are. */
const fewRuns = 20;

export function createPastActions({ book, messages, retries }: PastTools): PastActions {
  return {
    async retry(ids) {
      const words = createWords();
      const made: string[] = [];
      const queue = new PQueue({ concurrency: atOnce });
      await queue.addAll(
        [...new Set(ids)].map((id) => async () => {
          try {
            const as = await retries.retry(id);
            made.push(as);
            if (made.length <= fewRuns) words.say(`Run ${id} is run again, as run ${as}.`);
          } catch (error) {
            words.refuse(errorLine(error));
          }
        }),
      );
      if (made.length > fewRuns) words.say(`${made.length} runs are run again.`);
      return { ...words.answer(), runs: made };
    },
    async forget(ids) {
      const words = createWords();
      let forgotten = 0;
      for (const id of new Set(ids)) {
        const run = book.get(id);
        if (run === undefined) words.refuse(`There is no run ${id}.`);
        else if (run.stage !== 'finished') words.refuse(`Run ${id} has not ended: cancel it first.`);
        else if (run.retry?.begun === false) words.refuse(`Run ${id} is being run again at this moment.`);
        else {
          await book.forget(id);
          await messages.remove(id);
          forgotten += 1;
          if (forgotten <= fewRuns) words.say(`Run ${id} is forgotten.`);
        }
      }
      if (forgotten > fewRuns) words.say(`${forgotten} runs are forgotten.`);
      // its old lines are in the file until then
      if (forgotten > 0) await book.compact();
      return words.answer();
    },
  };
}
