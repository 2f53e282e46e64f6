/**
 * Slurm's job states. Source: SchedMD's page "Job State Codes" (12 base states, 17 flags) and the state tables of squeue(1)
 * and sacct(1) from 20.11 to 26.
 */

/**
 * A job state in Slurm's spelling. squeue and scontrol print one word, a flag instead of the base state if one is set;
 * newer releases print several.
 */
export interface JobState {
  /** The base state, or the flag if Slurm printed only that. Empty if Slurm printed nothing. */
  base: string;
  flags: readonly string[];
}

/**
 * - `waiting`: pending or requeued. `held`: pending, and will not start until released.
 * - `starting`: has nodes that are not ready yet. `running`. `paused`: keeps its nodes, does not run.
 * - `ending`: finished, but Slurm is still cleaning up; the final state will follow.
 * - `ended`: in its final state.
 * - `unknown`: a state that this program does not know. Never taken for an end.
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

/** How a job ended. `depends`: Slurm may still requeue it. */
export type JobOutcome = 'succeeded' | 'failed' | 'canceled' | 'depends';

export interface StateRow {
  /** Long form. */
  word: string;
  /** Compact form; null if squeue has none. */
  compact: string | null;
  kind: 'base' | 'flag';
  /** For a flag: the phase of a job with this flag; null: the base state decides. */
  phase: JobPhase | null;
  /** Set if `phase` is `ended`. */
  outcome: JobOutcome | null;
  /** For the pathologist. */
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

/** All base states and flags. */
export const stateRows: readonly StateRow[] = [
  base('PENDING', 'PD', 'waiting', 'The analysis is waiting in the cluster queue.'),
  base('RUNNING', 'R', 'running', 'The analysis runs on the cluster.'),
  base('SUSPENDED', 'S', 'paused', 'The cluster has paused the analysis and will resume it.'),
  end('COMPLETED', 'CD', 'succeeded', 'The analysis completed.'),
  end('CANCELLED', 'CA', 'canceled', 'The job was canceled on the cluster.'),
  end('FAILED', 'F', 'failed', 'The analysis ended with an error.'),
  end('TIMEOUT', 'TO', 'failed', 'The analysis reached its time limit and was stopped.'),
  end('OUT_OF_MEMORY', 'OOM', 'failed', 'The analysis exceeded its memory limit and was stopped.'),
  end('NODE_FAIL', 'NF', 'depends', 'The computer that ran the analysis failed.'),
  end('PREEMPTED', 'PR', 'depends', 'The cluster stopped the analysis in favor of more urgent work.'),
  end('BOOT_FAIL', 'BF', 'failed', 'The computer assigned to the analysis did not start.'),
  end('DEADLINE', 'DL', 'failed', 'The analysis could not be finished before its deadline and was stopped.'),

  flag('COMPLETING', 'CG', 'ending', 'The analysis has ended; the cluster is cleaning up.'),
  flag('CONFIGURING', 'CF', 'starting', 'The cluster is preparing computers for the analysis.'),
  flag('POWER_UP_NODE', null, 'starting', 'The cluster is powering up computers for the analysis.'),
  flag('RESIZING', 'RS', 'running', 'The cluster is changing the size of the job.'),
  flag('SIGNALING', 'SI', 'running', 'The cluster is sending a signal to the analysis.'),
  flag('STOPPED', 'ST', 'paused', 'The analysis is stopped by a signal and keeps its computers.'),
  flag('STAGE_OUT', 'SO', 'ending', 'The analysis has ended; the cluster is copying its data.'),
  flag('REQUEUED', 'RQ', 'waiting', 'The analysis was requeued and will start again.'),
  flag('REQUEUE_FED', 'RF', 'waiting', 'The analysis was requeued on another cluster.'),
  flag('REQUEUE_HOLD', 'RH', 'held', 'The analysis was requeued and is held.'),
  flag('RESV_DEL_HOLD', 'RD', 'held', 'The analysis is held because its reservation was removed.'),
  flag('SPECIAL_EXIT', 'SE', 'held', 'The analysis is held because it ended with a special exit code.'),
  flag('EXPEDITING', null, 'waiting', 'The analysis will start again as soon as possible.'),
  flag('REVOKED', 'RV', 'waiting', 'Another cluster of the federation has taken over the analysis.'),
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

/** The row of a state, by its long or compact form. */
export function stateRow(word: string): StateRow | undefined {
  return rowsByWord.get(word.toUpperCase());
}

/**
 * Parses a state as squeue, scontrol and sacct print it: `RUNNING`, `PD`, `CANCELLED by 1000`, `OUT_OF_ME+` (truncated to
 * the column), `COMPLETED,COMPLETING`. Unknown words are kept.
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

/** Reasons of pending jobs that a user or administrator must release. */
const heldReason =
  /^(JobHeld(User|Admin)|launch[_ ]failed[_ ]requeued[_ ]held|job[_ ]requeued[_ ]in[_ ]held[_ ]state)/i;

/** The row that determines the phase: a flag with a phase takes precedence over the base state. */
function decidingRow(state: JobState): StateRow | undefined {
  for (const word of state.flags) {
    const row = stateRow(word);
    if (row !== undefined && row.phase !== null) return row;
  }
  return stateRow(state.base);
}

/**
 * The phase of a job.
 * @param reason Slurm's reason: it distinguishes held from pending jobs, and jobs whose nodes are still being prepared from
 * running ones (22.05 reports RUNNING as soon as slurmd's prolog has begun)
 */
export function phaseOf(state: JobState, reason = ''): JobPhase {
  const phase = decidingRow(state)?.phase ?? 'unknown';
  if (phase === 'waiting' && heldReason.test(reason)) return 'held';
  return phase === 'running' && reason === 'Prolog' ? 'starting' : phase;
}

/** How the job ended; null if it has not. */
export function outcomeOf(state: JobState): JobOutcome | null {
  return decidingRow(state)?.outcome ?? null;
}

/** One sentence about a state, for the pathologist. */
export function stateSentence(state: JobState): string {
  return decidingRow(state)?.sentence ?? `The cluster reports the job state "${stateText(state)}".`;
}

/** `COMPLETED`, or with flags `RUNNING+RESIZING`. */
export function stateText(state: JobState): string {
  return [state.base, ...state.flags].filter((word) => word !== '').join('+') || 'unknown';
}
