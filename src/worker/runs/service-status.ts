import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { systemCode } from '../../base/errors.js';
import type { ProcessIdentity } from '../run-state/process-identity.js';
import { parseStatus, statusFileName, type WorkerStatus } from '../run-state/status-file.js';
import { readOwner } from './view-journal.js';

/** Exit codes of monitoring plugins. */
export const statusCodes = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

export interface ServiceStatus {
  /** What the worker wrote last; null if it is missing or not valid. */
  status: WorkerStatus | null;
  /** The process that holds the state directory; null if there is none. */
  owner: Pick<ProcessIdentity, 'pid' | 'host' | 'since'> | null;
}

export interface Verdict extends ServiceStatus {
  level: keyof typeof statusCodes;
  text: string;
}

/** Something that is wrong; `text` is a sentence without its full stop. */
export interface StatusProblem {
  about: 'rabbitmq' | 'slurm' | 'worker';
  level: 'WARNING' | 'CRITICAL';
  text: string;
}

/** Age of the file, and of Slurm's last answer, from which they count as missing. */
const staleMs = 60_000;
const silentMs = 10 * 60_000;

/** Reads the status of a worker on any host that shares the state directory. @throws Error if the directory cannot be read */
export async function readServiceStatus(stateDirectory: string): Promise<ServiceStatus> {
  const text = await readFile(join(stateDirectory, statusFileName), 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  });
  return { status: parseStatus(text), owner: await readOwner(stateDirectory) };
}

const withReason = (what: string, why: string | null): string => (why === null ? what : `${what}: ${why}`);

/** What is wrong according to a status. Pure. */
export function statusProblems(
  { broker, jobsAt, jobsProblem, problem }: WorkerStatus,
  { now, pollSeconds, usesSlurm }: { now: number; pollSeconds: number; usesSlurm: boolean },
): StatusProblem[] {
  const problems: StatusProblem[] = [];
  const add = (about: StatusProblem['about'], level: StatusProblem['level'], text: string): void => {
    problems.push({ about, level, text });
  };
  // a worker that has never been connected stays "connecting"
  const isAway = broker.state === 'connecting' && broker.problem !== null;
  if (isAway || broker.state === 'disconnected' || broker.state === 'closed') {
    const what = isAway ? 'RabbitMQ cannot be reached' : `RabbitMQ ${broker.state}`;
    add('rabbitmq', 'CRITICAL', withReason(what, broker.problem));
  } else if (broker.state !== 'consuming') {
    add('rabbitmq', 'WARNING', withReason(`RabbitMQ ${broker.state}`, broker.problem));
  }
  if (usesSlurm) {
    const silence = jobsAt === null ? null : now - jobsAt;
    const isLate = silence !== null && silence > Math.max(staleMs, 5_000 * pollSeconds);
    if (silence !== null && silence > silentMs) {
      add('slurm', 'CRITICAL', withReason(`Slurm has not answered for ${seconds(silence)}`, jobsProblem));
    } else if (isLate || jobsProblem !== null) {
      add('slurm', 'WARNING', withReason('Slurm does not answer', jobsProblem));
    }
  }
  if (problem !== null) add('worker', 'WARNING', problem);
  return problems;
}

/** Judges a status. Pure. */
export function judgeStatus(
  { status, owner }: ServiceStatus,
  { now, pollSeconds, usesSlurm }: { now: number; pollSeconds: number; usesSlurm: boolean },
): Verdict {
  const verdict = (level: Verdict['level'], text: string): Verdict => ({ level, text, status, owner });
  if (owner === null) return verdict('CRITICAL', 'no worker is running');
  const named = `worker ${owner.pid} on ${owner.host}`;
  if (status === null) return verdict('WARNING', `${named} is starting or stopping`);
  const age = now - status.at;
  if (age > staleMs) return verdict('CRITICAL', `${named} has reported nothing for ${seconds(age)}`);
  const problems = statusProblems(status, { now, pollSeconds, usesSlurm });
  const critical = problems.filter(({ level }) => level === 'CRITICAL').map(({ text }) => text);
  const warnings = problems.filter(({ level }) => level === 'WARNING').map(({ text }) => text);
  const { broker, inFlight } = status;
  const text = [
    ...critical,
    ...warnings,
    `${inFlight} ${inFlight === 1 ? 'run' : 'runs'} in flight`,
    ...(critical.length + warnings.length === 0 ? [`RabbitMQ: ${broker.state}`, named] : [named]),
  ].join('; ');
  if (critical.length > 0) return verdict('CRITICAL', text);
  return verdict(warnings.length > 0 ? 'WARNING' : 'OK', text);
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;
