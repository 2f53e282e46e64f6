import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import type { CommandOutcome } from './batch-command.js';

/** The single place from which jobs are canceled. */
export interface Canceler {
  /** Cancels jobs, in one call with those of other callers at the same moment. Never throws. */
  cancel(jobIds: readonly string[]): Promise<CommandOutcome>;
  /** When a job was last canceled without an error, by `clock.monotonic()`; null if not in the last minutes. */
  canceledAt(jobId: string): number | null;
  /** Resolves once no cancel of the job is under way. A job may end while scancel is still running. */
  cancelSettled(jobId: string): Promise<void>;
}

/** How long requests are collected before they are sent. */
const gatherMs = 50;
/** How long a cancel is remembered. */
const rememberMs = 5 * 60_000;

interface Request {
  jobIds: readonly string[];
  resolve: (answer: CommandOutcome) => void;
}

/** @param send cancels jobs; called once for all requests within a short time */
export function createCanceler(
  send: (jobIds: readonly string[]) => Promise<CommandOutcome>,
  clock: Clock,
): Canceler {
  const canceled = new Map<string, number>();
  const underWay = new Map<string, Promise<unknown>>();
  let gathered: Request[] = [];

  async function flush(): Promise<void> {
    await clock.sleep(gatherMs);
    const requests = gathered;
    gathered = [];
    const answer = await send([...new Set(requests.flatMap(({ jobIds }) => jobIds))]).catch(
      (error: unknown): CommandOutcome => ({ ok: false, message: errorLine(error) }),
    );
    const now = clock.monotonic();
    for (const [id, at] of canceled) if (now - at > rememberMs) canceled.delete(id);
    for (const { jobIds, resolve } of requests) {
      const own = requests.length === 1 ? answer : answerFor(jobIds, answer);
      if (own.ok) for (const id of jobIds) canceled.set(id, now);
      resolve(own);
    }
  }

  return {
    async cancel(jobIds) {
      const answer = new Promise<CommandOutcome>((resolve) => {
        gathered.push({ jobIds, resolve });
        if (gathered.length === 1) void flush();
      });
      for (const id of jobIds) underWay.set(id, answer);
      const outcome = await answer;
      for (const id of jobIds) if (underWay.get(id) === answer) underWay.delete(id);
      return outcome;
    },
    canceledAt: (jobId) => canceled.get(jobId) ?? null,
    async cancelSettled(jobId) {
      await underWay.get(jobId);
    },
  };
}

/** The part of an answer about many jobs that concerns some of them: scancel names the job in its error. */
function answerFor(jobIds: readonly string[], answer: CommandOutcome): CommandOutcome {
  if (answer.ok) return answer;
  const lines = answer.message.split('\n');
  const own = lines.filter((line) => numbers(line).some((number) => jobIds.includes(number)));
  if (own.length > 0) return { ok: false, message: own.join('\n') };
  // an error without a job id concerns the whole command
  const isAboutOthers = lines.every((line) => /job id/i.test(line) && numbers(line).length > 0);
  return isAboutOthers ? { ok: true, message: '' } : answer;
}

function numbers(line: string): string[] {
  return line.match(/\d+(_\d+)?/g) ?? [];
}
