import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Broker, QueueDepth } from '../../celery/broker.js';

/** The queue for tasks that need Girder's database (contract, section c). This worker never consumes it. */
const queue = 'local';
/** Milliseconds between two queries. */
const everyMs = 60_000;

export interface LocalQueueOptions {
  broker: () => Pick<Broker, 'queueDepth'> | null;
  /** Ends the watch. */
  stopping: AbortSignal;
  /** Called when {@link LocalQueueWatch.problem} has changed. */
  onChange: () => void;
  clock: Clock;
  log: Log;
}

export interface LocalQueueWatch {
  /** One sentence for the operator while messages wait without a consumer; else null. */
  problem(): string | null;
}

/**
 * Watches whether Girder's own tasks wait for a Python worker that is not running. To users it looks as if results were
 * lost: in Girder 5 even the annotations of an analysis pass through this queue. A problem is reported after two queries
 * in a row have shown it, because a restarting worker is briefly absent, too.
 */
export function watchLocalQueue(options: LocalQueueOptions): LocalQueueWatch {
  const { broker, stopping, onChange, clock, log } = options;
  let wasStuck = false;
  let problem: string | null = null;

  function note(depth: QueueDepth | null): void {
    const isStuck = depth !== null && depth.ready > 0 && depth.consumers === 0;
    const next = isStuck && wasStuck ? sentence(depth.ready) : null;
    wasStuck = isStuck;
    if (next === problem) return;
    if (next !== null && problem === null)
      log.warn({ queue, messages: depth?.ready }, 'no worker consumes the queue');
    problem = next;
    onChange();
  }

  async function watch(): Promise<void> {
    while (!stopping.aborted) {
      await clock.sleep(everyMs, stopping);
      if (stopping.aborted) return;
      try {
        const connected = broker();
        if (connected !== null) note(await connected.queueDepth(queue));
      } catch (error) {
        // the console's header shows a lost connection; keep the last answer
        log.debug({ queue, why: errorLine(error) }, 'could not read the depth of the queue');
      }
    }
  }

  void watch();
  return { problem: () => problem };
}

function sentence(messages: number): string {
  const waiting = messages === 1 ? '1 message waits' : `${messages} messages wait`;
  // must fit on one line of the console
  return `${waiting} in queue "${queue}" and no worker consumes it: annotations do not appear. Run: celery -A girder_worker.app worker -Q ${queue}`;
}
