import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runKey } from '../../slurm/job-identity.js';
import { foldLine, salvageLine } from './journal-lines.js';
import type { Run } from './run.js';

/** What the damaged journals of a state directory still have of a run. */
export type RecoveredRun =
  /** `file`: the name of the journal copy that it was read from. */
  | { kind: 'run'; run: Run; file: string }
  /** Nothing usable. `why` completes "because …". */
  | { kind: 'nothing'; why: string };

/**
 * Recovers a run that was lost with a damaged journal from its copies (`journal.jsonl.damaged-…`, `journal.jsonl.torn`), the
 * newest first. Lines with a wrong checksum are used too if they are complete JSON: a flipped bit rarely hits what a run needs,
 * and the job id comes from Slurm.
 *
 * Slurm does not have the message of a task, so without such a copy a run cannot be recovered.
 * @param key the run's key, which is in the comment of its Slurm job
 */
export async function recoverRun(stateDirectory: string, key: string): Promise<RecoveredRun> {
  const files = (await readdir(stateDirectory).catch(() => [])).filter((name) => copyPattern.test(name));
  let why = 'no damaged journal in the state directory has its message';
  for (const file of files.sort(newestFirst)) {
    const run = await readCopy(join(stateDirectory, file), key);
    if (run === null) continue;
    const missing = whatIsMissing(run);
    if (missing === null) return { kind: 'run', run, file };
    why = `${missing} (${file})`;
  }
  return { kind: 'nothing', why };
}

const copyPattern = /^journal\.jsonl\.(?:damaged-\d+|torn)$/;

/** Sorts by the time in the name; the torn copy, which has none, comes last. */
function newestFirst(a: string, b: string): number {
  return timeOf(b) - timeOf(a);
}

function timeOf(name: string): number {
  return Number(/\d+$/.exec(name)?.[0] ?? 0);
}

async function readCopy(path: string, key: string): Promise<Run | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const runs = new Map<string, Run>();
  for (const line of text.split('\n')) {
    const parsed = salvageLine(line);
    if (parsed !== null) foldLine(runs, parsed);
  }
  for (const run of runs.values()) if (runKey(run.id) === key) return run;
  return null;
}

/** What a run lacks to be followed to its end; null if nothing. */
function whatIsMissing(run: Run): string | null {
  if (run.stage === 'finished' || run.outcome !== null) return 'its run had ended';
  if (run.end !== null) return 'its run had seen the job end';
  if (run.staged === null || run.submission === null) return 'the damaged journal lost where its files are';
  return null;
}
