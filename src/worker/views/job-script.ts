import type { Clock } from '../../base/clock.js';
import { createMessageMask } from '../../base/text/redact.js';
import type { Executor } from '../executor/executor.js';
import type { RunStore } from '../run-state/run-store.js';
import type { JobScript } from './live-views.js';

/** Lines of a script that are shown. */
const maxScriptLines = 5_000;
const maxScriptCharacters = 1024 * 1024;

/** The batch script of a job, with the secrets of its run masked. */
export async function readJobScript(
  jobId: string,
  {
    executor,
    runStore,
    clock,
  }: { executor: Pick<Executor, 'batchScript'>; runStore: Pick<RunStore, 'all'>; clock: Clock },
): Promise<JobScript> {
  const answer = await executor.batchScript(jobId);
  if (answer.kind !== 'script') return { jobId, lines: [], omitted: 0, at: null, problem: answer.why };
  const all = answer.text.replace(/\n$/u, '').split('\n');
  let characters = 0;
  const end = all.findIndex(
    (line, index) => index >= maxScriptLines || (characters += line.length + 1) > maxScriptCharacters,
  );
  // a custom submit script may contain the container's arguments
  const run = [...runStore.all()].find((each) => each.jobId === jobId);
  const lines = createMessageMask(run?.task.headers ?? null)(
    end === -1 ? all : all.slice(0, end),
  ) as readonly string[];
  return { jobId, lines, omitted: all.length - lines.length, at: clock.now(), problem: null };
}
