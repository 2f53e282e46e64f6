import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import type { Broker, QueueDepth } from '../../celery/broker.js';

/** The queue for tasks that need Girder's database (contract, section c). This worker never consumes it. */
const queue = 'local';
/** Milliseconds between two questions to the broker. */
const everyMs = 60_000;

export interface LocalQueueOptions {
  broker: () => Pick<Broker, 'queueDepth'> | null;
  /** The watch ends when it aborts. */
  stopping: AbortSignal;
  /** What {@link LocalQueueWatch.problem} says has changed. */
  onChange: () => void;
  clock: Clock;
  log: Log;
}

export interface LocalQueueWatch {
  /** One sentence for the operator while messages wait and nobody takes them; else null. */
  problem(): string | null;
}

/**
 * Watches whether Girder's own tasks wait for a Python worker that is not there. To a user it looks as if results were lost:
 * with Girder 5 even the annotations of an analysis come through this queue. It is reported once two answers in a row
 * have shown it, because a worker that restarts is away for a moment, too.
 */
export function watchLocalQueue(options: LocalQueueOptions): LocalQueueWatch {
  const { broker, stopping, onChange, clock, log } = options;
  let isSuspect = false;
  let trouble: string | null = null;

  function note(depth: QueueDepth | null): void {
    const isLeft = depth !== null && depth.ready > 0 && depth.consumers === 0;
    const next = isLeft && isSuspect ? sentence(depth.ready) : null;
    isSuspect = isLeft;
    if (next === trouble) return;
    if (next !== null && trouble === null)
      log.warn({ queue, messages: depth?.ready }, 'no worker consumes it');
    trouble = next;
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
        // without a connection the header says so; what was seen last stays
        log.debug({ queue, why: errorLine(error) }, 'its depth is not known');
      }
    }
  }

  void watch();
  return { problem: () => trouble };
}

function sentence(messages: number): string {
  const waiting = messages === 1 ? '1 message waits' : `${messages} messages wait`;
  // it has to fit into one line of the console
  return `${waiting} in queue "${queue}" and no worker consumes it: annotations do not appear. Run: celery -A girder_worker.app worker -Q ${queue}`;
}
