import { readFile } from 'node:fs/promises';
import { jobStatus } from '../../src/sandbox/fake-girder/rules.js';
import type { FakeGirder } from '../../src/sandbox/fake-girder/index.js';
import { expectedLines, expectedOutputs } from './image.js';
import type { PlannedRun } from './plan.js';

/** What is known about a run after the end. */
export interface RunRemains {
  planned: PlannedRun;
  /** It was canceled in Girder. */
  isCanceledByUser: boolean;
  /** Every status that the Girder job went through. */
  statuses: readonly number[];
  log: string;
  /** Files in its result folder with their paths, sorted by name; duplicates are listed twice. */
  outputs: readonly (readonly [path: string, content: string])[];
  /** All of its Slurm jobs. */
  jobs: readonly { id: string; state: string }[];
}

/** A broken promise. */
export interface Problem {
  kind: 'lost' | 'doubled' | 'wrong';
  what: string;
}

const over: readonly number[] = [jobStatus.success, jobStatus.error, jobStatus.canceled];

/** Compares a run with its plan. Pure. */
export function judgeRun(remains: RunRemains): Problem[] {
  return [...judgeOutcome(remains), ...judgeLog(remains), ...judgeOutputs(remains)];
}

function judgeOutcome({ planned, isCanceledByUser, statuses, jobs }: RunRemains): Problem[] {
  const last = statuses.at(-1) ?? 0;
  const problems: Problem[] = [];
  if (!over.includes(last))
    problems.push({ kind: 'lost', what: `it never ended: Girder's status is ${last}` });
  if (statuses.filter((status) => over.includes(status)).length > 1) {
    problems.push({ kind: 'doubled', what: `several outcomes: ${statuses.join(', ')}` });
  }
  const isCanceled = statuses.includes(jobStatus.canceling) || statuses.includes(jobStatus.canceled);
  if (isCanceled && !isCanceledByUser)
    problems.push({ kind: 'wrong', what: 'it was canceled without a request' });
  const [job, ...others] = jobs;
  if (others.length > 0) {
    problems.push({ kind: 'doubled', what: `Slurm jobs ${jobs.map(({ id }) => id).join(', ')}` });
  }
  // canceled before it was submitted
  if (job === undefined)
    return isCanceled ? problems : [...problems, { kind: 'lost', what: 'it has no Slurm job' }];
  const status = statusFor(job.state);
  const wanted = isCanceled ? [jobStatus.canceled] : [status];
  // a cancel that comes after the job has failed does not change its outcome
  if (planned.exitCode !== 0 && job.state === 'FAILED') wanted.push(jobStatus.error);
  if (status === null) problems.push({ kind: 'wrong', what: `its Slurm job is ${job.state}` });
  else if (over.includes(last) && !wanted.includes(last)) {
    problems.push({ kind: 'wrong', what: `Girder's status is ${last}, but Slurm says ${job.state}` });
  }
  const isAsPlanned = isCanceled || job.state === (planned.exitCode === 0 ? 'COMPLETED' : 'FAILED');
  if (!isAsPlanned) problems.push({ kind: 'wrong', what: `Slurm says ${job.state}` });
  return problems;
}

/** The Girder status expected for a Slurm job in this state; null if it has not ended. */
function statusFor(state: string): number | null {
  switch (state) {
    case 'COMPLETED':
      return jobStatus.success;
    case 'CANCELLED':
      return jobStatus.canceled;
    case 'PENDING':
    case 'RUNNING':
    case 'SUSPENDED':
    case 'COMPLETING':
    case 'CONFIGURING':
      return null;
    default:
      return jobStatus.error;
  }
}

function judgeLog({ planned, statuses, log }: RunRemains): Problem[] {
  const wanted = expectedLines(planned);
  const isOwnLine = /^(line \d+|tick|end)$/;
  const found = log.split('\n').filter((line) => isOwnLine.test(line));
  const problems: Problem[] = [];
  const isCanceled = statuses.at(-1) === jobStatus.canceled;
  const [have, want] = [countEach(found), countEach(wanted)];
  for (const [line, times] of want) {
    const seen = have.get(line) ?? 0;
    if (seen < times && !isCanceled)
      problems.push({ kind: 'lost', what: `log line “${line}”: ${seen} of ${times}` });
    if (seen > times) problems.push({ kind: 'doubled', what: `log line “${line}”: ${seen} of ${times}` });
  }
  if (problems.length === 0 && found.some((line, index) => line !== wanted[index])) {
    problems.push({ kind: 'wrong', what: `log lines in another order: ${found.join(', ')}` });
  }
  if (planned.exitCode !== 0 && statuses.at(-1) === jobStatus.error) {
    const reasons = log.split(/^.*\(Slurm job \d+, state /m).length - 1;
    if (reasons === 0) problems.push({ kind: 'lost', what: 'the reason of its failure' });
    if (reasons > 1) problems.push({ kind: 'doubled', what: `the reason of its failure: ${reasons} times` });
  }
  return problems.slice(0, 5);
}

function countEach(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

function judgeOutputs({ planned, statuses, outputs }: RunRemains): Problem[] {
  const isWanted = statuses.at(-1) === jobStatus.success;
  // the cancel may have come between two uploads
  if (statuses.at(-1) === jobStatus.canceled) return [];
  const wanted = isWanted ? expectedOutputs(planned) : new Map<string, string>();
  const problems: Problem[] = [];
  for (const [path, content] of wanted) {
    const found = outputs.filter(([name]) => name === path);
    if (found.length === 0) problems.push({ kind: 'lost', what: `output “${path}”` });
    if (found.length > 1) problems.push({ kind: 'doubled', what: `output “${path}”: ${found.length} times` });
    for (const [, text] of found) {
      if (text !== content) problems.push({ kind: 'wrong', what: `the content of output “${path}”` });
    }
  }
  for (const [path] of outputs) {
    if (!wanted.has(path))
      problems.push({ kind: 'wrong', what: `an output “${path}” that should not be there` });
  }
  return problems;
}

/** All files below a folder, by file name rather than by item name. */
export async function readOutputs(
  girder: FakeGirder,
  folderId: string,
  prefix = '',
): Promise<(readonly [string, string])[]> {
  const files = girder.items(folderId).flatMap((item) => girder.files(item.id));
  const here = await Promise.all(
    files.map(async ({ name, path }) => [`${prefix}${name}`, await readFile(path, 'utf8')] as const),
  );
  const empty = girder
    .items(folderId)
    .filter((item) => girder.files(item.id).length === 0)
    .map(({ name }) => [`${prefix}${name} (an item without a file)`, ''] as const);
  const below = await Promise.all(
    girder.folders(folderId).map(({ id, name }) => readOutputs(girder, id, `${prefix}${name}/`)),
  );
  return [...here, ...empty, ...below.flat()];
}
