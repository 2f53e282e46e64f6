import type { Clock } from '../../base/clock.js';
import type { CommandOutcome } from './batch-command.js';

/** The one place from which jobs are canceled, whoever asks for it. */
export interface Canceler {
  /** Cancels jobs together with those that others ask for at the same moment. Never throws. */
  cancel(jobIds: readonly string[]): Promise<CommandOutcome>;
  /** When a job was last canceled without a complaint of Slurm, by `clock.monotonic()`; null if not in the last minutes. */
  canceledAt(jobId: string): number | null;
}

/** How long requests are gathered before they go out. */
const gatherMs = 50;
/** How long a cancel is remembered. */
const rememberMs = 5 * 60_000;

interface Request {
  jobIds: readonly string[];
  resolve: (answer: CommandOutcome) => void;
}

/** @param send cancels some jobs; called once for all that was asked for within a moment */
export function createCanceler(
  send: (jobIds: readonly string[]) => Promise<CommandOutcome>,
  clock: Clock,
): Canceler {
  const canceled = new Map<string, number>();
  let gathered: Request[] = [];

  async function flush(): Promise<void> {
    await clock.sleep(gatherMs);
    const requests = gathered;
    gathered = [];
    const answer = await send([...new Set(requests.flatMap(({ jobIds }) => jobIds))]);
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
      return new Promise((resolve) => {
        gathered.push({ jobIds, resolve });
        if (gathered.length === 1) void flush();
      });
    },
    canceledAt: (jobId) => canceled.get(jobId) ?? null,
  };
}

/** What an answer about many jobs says of some of them: scancel names the job that it complains about. */
function answerFor(jobIds: readonly string[], answer: CommandOutcome): CommandOutcome {
  if (answer.ok) return answer;
  const lines = answer.said.split('\n');
  const own = lines.filter((line) => numbers(line).some((number) => jobIds.includes(number)));
  if (own.length > 0) return { ok: false, said: own.join('\n') };
  // a complaint that names no job is about the command as a whole
  const isAboutOthers = lines.every((line) => /job id/i.test(line) && numbers(line).length > 0);
  return isAboutOthers ? { ok: true, said: '' } : answer;
}

function numbers(line: string): string[] {
  return line.match(/\d+(_\d+)?/g) ?? [];
}
