import type { CommandOptions, RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { arrayRest } from '../array-rest.js';
import { inBatches, runCalls, wrongIds, type SlurmCall, type CommandOutcome } from './batch-command.js';

/** Signals that can be sent to a job. */
export const jobSignals = ['HUP', 'INT', 'QUIT', 'KILL', 'USR1', 'USR2', 'TERM', 'CONT', 'STOP'] as const;

export type JobSignal = (typeof jobSignals)[number];

/** Changes to jobs other than canceling them. */
export type JobChange =
  | { kind: 'signal'; signal: JobSignal }
  | { kind: 'hold' }
  | { kind: 'release' }
  /** Puts the job back into the queue; its results so far are lost. */
  | { kind: 'requeue' }
  /** As scontrol accepts it: minutes, `hours:minutes:seconds`, `days-hours`, `+30` for more, `UNLIMITED`. */
  | { kind: 'timeLimit'; limit: string }
  /** Slurm's priority; most sites let only administrators set it. */
  | { kind: 'priority'; priority: number }
  /** -2147483645 to 2147483645; a higher value lowers the priority. */
  | { kind: 'nice'; nice: number };

const timeLimit =
  /^([+-]?(\d{1,7}|\d{1,6}:[0-5]?\d(:[0-5]?\d)?|\d{1,5}-\d{1,2}(:[0-5]?\d){0,2})|UNLIMITED)$/i;
const niceLimit = 2_147_483_645;

/**
 * The command that applies a change to `ids`.
 * @throws DsaSlurmError `usage` if the value is not valid
 */
export function changeCommand(change: JobChange, ids: readonly string[]): { file: string; args: string[] } {
  const list = ids.join(',');
  switch (change.kind) {
    case 'signal':
      if (!jobSignals.includes(change.signal)) {
        throw wrong('signal', `one of ${jobSignals.join(', ')}`);
      }
      // without `--full`, the batch script, and so the container, receives no signal except SIGKILL (scancel(1))
      return { file: 'scancel', args: [`--signal=${change.signal}`, '--full', ...ids] };
    case 'hold':
    case 'release':
    case 'requeue':
      return { file: 'scontrol', args: [change.kind, list] };
    case 'timeLimit':
      if (!timeLimit.test(change.limit)) {
        throw wrong('time limit', 'minutes, 04:00:00, 1-12, +30 for more, or UNLIMITED');
      }
      return update(list, `TimeLimit=${change.limit}`);
    case 'priority':
      if (!isWhole(change.priority, 0, 4_294_967_294)) {
        throw wrong('priority', 'a whole number from 0 to 4294967294');
      }
      return update(list, `Priority=${change.priority}`);
    case 'nice':
      if (!isWhole(change.nice, -niceLimit, niceLimit)) {
        throw wrong('nice value', `a whole number from -${niceLimit} to ${niceLimit}`);
      }
      return update(list, `Nice=${change.nice}`);
  }
}

/**
 * Changes jobs, up to a hundred per call.
 *
 * scontrol accepts a relative time limit (`+30`) for a single job only, not for a list or an array (22.05), so it is made
 * absolute here.
 * @param jobIds as squeue prints them
 * @param timeLimitOf a job's current limit in seconds; null if there is none, or it is not known
 * @throws as {@link changeCommand}
 */
export async function changeJobs(
  run: RunCommand,
  change: JobChange,
  jobIds: readonly string[],
  timeLimitOf: (jobId: string) => number | null = () => null,
  options: CommandOptions = {},
): Promise<CommandOutcome> {
  const wrong = wrongIds(jobIds);
  if (wrong !== null) return wrong;
  const truncated = jobIds.filter((id) => arrayRest(id)?.id === null);
  if (truncated.length > 0) {
    return { ok: false, message: `Slurm truncated the task list of ${truncated.join(', ')}: use scontrol.` };
  }
  const calls: SlurmCall[] = [];
  const plain: string[] = [];
  const byLimit = new Map<string, string[]>();
  for (const id of jobIds) {
    const commandId = arrayRest(id)?.id ?? id;
    const delta = change.kind === 'timeLimit' ? minutesOf(change.limit) : null;
    if (delta === null) {
      plain.push(commandId);
      continue;
    }
    const current = timeLimitOf(id);
    if (current === null) calls.push(changeCommand(change, [commandId]));
    else {
      const limit = String(Math.max(1, Math.round(current / 60) + delta));
      byLimit.set(limit, [...(byLimit.get(limit) ?? []), commandId]);
    }
  }
  for (const ids of inBatches(plain)) calls.push(changeCommand(change, ids));
  for (const [limit, all] of byLimit) {
    for (const ids of inBatches(all)) calls.push(changeCommand({ kind: 'timeLimit', limit }, ids));
  }
  return runCalls(run, calls, options);
}

/** Minutes by which a time limit changes; null for an absolute limit. */
function minutesOf(limit: string): number | null {
  const [, sign, text] = /^([+-])(.*)$/.exec(limit) ?? [];
  if (sign === undefined || text === undefined || !timeLimit.test(limit)) return null;
  const [days, clock] = text.includes('-') ? text.split('-') : ['0', text];
  const parts = (clock ?? '').split(':').map(Number);
  const [a = 0, b = 0, c = 0] = parts;
  // minutes, hours:minutes:seconds, or minutes:seconds; with days, hours first
  let minutes = a;
  if (text.includes('-') || parts.length === 3) minutes = a * 60 + b + c / 60;
  else if (parts.length === 2) minutes = a + b / 60;
  return (sign === '-' ? -1 : 1) * Math.ceil(Number(days) * 24 * 60 + minutes);
}

function update(list: string, change: string): { file: string; args: string[] } {
  return { file: 'scontrol', args: ['update', `JobId=${list}`, change] };
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}

function wrong(what: string, form: string): DsaSlurmError {
  return new DsaSlurmError('usage', `That is not a valid ${what}.`, { next: `It must be ${form}.` });
}
