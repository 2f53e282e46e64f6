import PQueue from 'p-queue';

import { errorLine } from '../../base/errors.js';
import { createMessageBuilder } from '../reporting/result-message.js';
import type { RunStore } from '../run-state/run-store.js';
import type { CommandAnswer } from '../views/handle.js';
import type { RetryMessages } from '../run-state/retry-messages.js';
import type { RunRetries } from './retry.js';

/** Actions on finished runs. */
export interface FinishedRunActions {
  retry(ids: readonly string[]): Promise<CommandAnswer>;
  forget(ids: readonly string[]): Promise<CommandAnswer>;
}

export interface FinishedRunActionsOptions {
  runStore: RunStore;
  messages: RetryMessages;
  retries: RunRetries;
}

/** Concurrent requests to Girder. */
const concurrency = 8;
/** Maximum number of runs that are reported one by one; beyond that, only their number is. */
const maxReported = 20;

export function createFinishedRunActions({
  runStore,
  messages,
  retries,
}: FinishedRunActionsOptions): FinishedRunActions {
  return {
    async retry(ids) {
      const words = createMessageBuilder();
      const made: string[] = [];
      const queue = new PQueue({ concurrency });
      await queue.addAll(
        [...new Set(ids)].map((id) => async () => {
          try {
            const as = await retries.retry(id);
            made.push(as);
            if (made.length <= maxReported) words.add(`Run ${id} is run again, as run ${as}.`);
          } catch (error) {
            words.addError(errorLine(error));
          }
        }),
      );
      if (made.length > maxReported) words.add(`${made.length} runs are run again.`);
      return { ...words.answer(), runs: made };
    },
    async forget(ids) {
      const words = createMessageBuilder();
      let forgotten = 0;
      for (const id of new Set(ids)) {
        const run = runStore.get(id);
        if (run === undefined) words.addError(`There is no run ${id}.`);
        else if (run.stage !== 'finished') words.addError(`Run ${id} has not ended: cancel it first.`);
        else if (run.retry?.begun === false) words.addError(`Run ${id} is being run again at this moment.`);
        else {
          await runStore.forget(id);
          await messages.remove(id);
          forgotten += 1;
          if (forgotten <= maxReported) words.add(`Run ${id} is forgotten.`);
        }
      }
      if (forgotten > maxReported) words.add(`${forgotten} runs are forgotten.`);
      // until then, the file still has their old lines
      if (forgotten > 0) await runStore.compact();
      return words.answer();
    },
  };
}
