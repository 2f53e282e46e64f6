/**
 * Slurm's words for where a job is. Source: SchedMD's page "Job State Codes" (12 base states, 17 flags) and the state
 * tables of squeue(1), sacct(1) from 20.11 to 26.
 */

/**
 * Where a job is, in Slurm's own spelling. squeue and scontrol show one word, a flag in place of the base state where
 * there is one; newer releases show several.
 */
export interface JobState {
  /** The base state; where Slurm shows only a flag, that flag. Empty when Slurm said nothing. */
  base: string;
  flags: readonly string[];
}

/**
 * - `waiting`: in the queue, or back in it. `held`: in the queue, and will not start until someone releases it.
 * - `starting`: has nodes that are not ready yet. `running`. `paused`: has its nodes, does not run.
 * - `ending`: over, Slurm is still cleaning up; its final word is to come.
 * - `ended`: over.
 * - `unknown`: a word that this program does not know. Never taken for an end.
 */
export type JobPhase =
  | 'waiting'
  | 'held'
  | 'starting'
  | 'running'
  | 'paused'
  | 'ending'
  | 'ended'
  | 'unknown';

/** How an ended job ended. `depends`: Slurm may still put it back into the queue. */
export type JobOutcome = 'succeeded' | 'failed' | 'canceled' | 'depends';

export interface StateRow {
  /** As in long output. */
  word: string;
  /** As in compact output; null where squeue has none. */
  compact: string | null;
  kind: 'base' | 'flag';
  /** For a flag beside a base state: what the two mean together; null leaves it to the base state. */
  phase: JobPhase | null;
  /** Set where `phase` is `ended`. */
  outcome: JobOutcome | null;
  /** For the owner of the slide. */
  sentence: string;
}

function base(word: string, compact: string, phase: JobPhase, sentence: string): StateRow {
  return { word, compact, kind: 'base', phase, outcome: null, sentence };
}

function end(word: string, compact: string, outcome: JobOutcome, sentence: string): StateRow {
  return { word, compact, kind: 'base', phase: 'ended', outcome, sentence };
}

function flag(word: string, compact: string | null, phase: JobPhase | null, sentence: string): StateRow {
  return { word, compact, kind: 'flag', phase, outcome: null, sentence };
}

/** Every base state and every flag. */
export const stateRows: readonly StateRow[] = [
  base('PENDING', 'PD', 'waiting', 'The analysis waits in the queue of the cluster.'),
  base('RUNNING', 'R', 'running', 'The analysis runs on the cluster.'),
  base('SUSPENDED', 'S', 'paused', 'The cluster has paused the analysis; it will go on by itself.'),
  end('COMPLETED', 'CD', 'succeeded', 'The analysis ran to its end.'),
  end('CANCELLED', 'CA', 'canceled', 'The job was cancelled on the cluster.'),
  end('FAILED', 'F', 'failed', 'The analysis ended with an error.'),
  end('TIMEOUT', 'TO', 'failed', 'The analysis took longer than its time limit and was stopped.'),
  end('OUT_OF_MEMORY', 'OOM', 'failed', 'The analysis needed more memory than it was given and was stopped.'),
  end('NODE_FAIL', 'NF', 'depends', 'The computer that ran the analysis failed.'),
  end('PREEMPTED', 'PR', 'depends', 'The cluster stopped the analysis in favor of more urgent work.'),
  end('BOOT_FAIL', 'BF', 'failed', 'The computer that was to run the analysis did not start.'),
  end('DEADLINE', 'DL', 'failed', 'The analysis could not be finished before its deadline and was stopped.'),

  flag('COMPLETING', 'CG', 'ending', 'The analysis is over; the cluster is cleaning up after it.'),
  flag('CONFIGURING', 'CF', 'starting', 'The cluster is preparing computers for the analysis.'),
  flag('POWER_UP_NODE', null, 'starting', 'The cluster is switching on computers for the analysis.'),
  flag('RESIZING', 'RS', 'running', 'The cluster is changing the size of the job.'),
  flag('SIGNALING', 'SI', 'running', 'The cluster is sending a signal to the analysis.'),
  flag('STOPPED', 'ST', 'paused', 'The analysis is stopped by a signal and keeps its computers.'),
  flag('STAGE_OUT', 'SO', 'ending', 'The analysis is over; the cluster is copying its data out.'),
  flag('REQUEUED', 'RQ', 'waiting', 'The analysis was put back into the queue and will start again.'),
  flag('REQUEUE_FED', 'RF', 'waiting', 'The analysis was put back into the queue of another cluster.'),
  flag('REQUEUE_HOLD', 'RH', 'held', 'The analysis was put back into the queue and is held there.'),
  flag('RESV_DEL_HOLD', 'RD', 'held', 'The analysis is held because its reservation was removed.'),
  flag('SPECIAL_EXIT', 'SE', 'held', 'The analysis is held because the cluster marked its end as special.'),
  flag('EXPEDITING', null, 'waiting', 'The analysis will start again as soon as possible.'),
  flag('REVOKED', 'RV', 'waiting', 'Another cluster of the federation has taken the analysis over.'),
  flag('LAUNCH_FAILED', null, 'waiting', 'The cluster could not launch the analysis and may try again.'),
  flag('RECONFIG_FAIL', null, 'waiting', 'The cluster could not prepare its computers and may try again.'),
  flag('UPDATE_DB', null, null, 'The cluster is updating its records of the job.'),
];

const rowsByWord = new Map<string, StateRow>(
  stateRows.flatMap((row) => [
    [row.word, row] as const,
    ...(row.compact === null ? [] : [[row.compact, row] as const]),
  ]),
);

/** The row of one word, long or compact. */
export function stateRow(word: string): StateRow | undefined {
  return rowsByWord.get(word.toUpperCase());
}

/**
 * Reads a state as squeue, scontrol and sacct print it: `RUNNING`, `PD`, `CANCELLED by 1000`, `OUT_OF_ME+` (cut by a
 * column), `COMPLETED,COMPLETING`. Words that are not known are kept as they are.
 */
export function parseJobState(text: string): JobState {
  const bare = text.trim().replace(/\s+by\s+\S+$/i, '');
  const words = bare.split(/[\s,|+]+/).filter((word) => word !== '');
  const cutShort = bare.endsWith('+');
  const known = words.map((word, index) =>
    cutShort && index === words.length - 1 ? wholeWord(word) : (stateRow(word)?.word ?? word),
  );
  const at = known.findIndex((word) => stateRow(word)?.kind === 'base');
  const baseAt = at === -1 ? 0 : at;
  return { base: known[baseAt] ?? '', flags: known.filter((_, index) => index !== baseAt) };
}

function wholeWord(word: string): string {
  const exact = stateRow(word);
  if (exact !== undefined) return exact.word;
  const candidates = stateRows.filter((row) => row.word.startsWith(word.toUpperCase()));
  return candidates.length === 1 && candidates[0] !== undefined ? candidates[0].word : word;
}

/** Slurm's reasons of a pending job that only a person can lift. */
const heldReason =
  /^(JobHeld(User|Admin)|launch[_ ]failed[_ ]requeued[_ ]held|job[_ ]requeued[_ ]in[_ ]held[_ ]state)/i;

/** The row that decides about a state: a flag that means something before the base state. */
function decidingRow(state: JobState): StateRow | undefined {
  for (const word of state.flags) {
    const row = stateRow(word);
    if (row !== undefined && row.phase !== null) return row;
  }
  return stateRow(state.base);
}

/**
 * @param reason Slurm's reason, which tells a held job from a waiting one, and one whose nodes are still being prepared
 * from one that runs (22.05 calls it RUNNING as soon as slurmd's prolog has begun)
 */
export function phaseOf(state: JobState, reason = ''): JobPhase {
  const phase = decidingRow(state)?.phase ?? 'unknown';
  if (phase === 'waiting' && heldReason.test(reason)) return 'held';
  return phase === 'running' && reason === 'Prolog' ? 'starting' : phase;
}

/** How the job ended; null as long as it has not. */
export function outcomeOf(state: JobState): JobOutcome | null {
  return decidingRow(state)?.outcome ?? null;
}

/** One sentence about a state, ended or not, for the owner of the slide. */
export function stateSentence(state: JobState): string {
  return decidingRow(state)?.sentence ?? `The cluster calls the state of the job "${stateText(state)}".`;
}

/** `COMPLETED`, or with flags `RUNNING+RESIZING`. */
export function stateText(state: JobState): string {
  return [state.base, ...state.flags].filter((word) => word !== '').join('+') || 'unknown';
}
