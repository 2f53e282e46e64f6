import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

import { systemCode } from '../../base/errors.js';

/** A process that owns a state directory or a job, described so that it can be checked later whether it is still alive. */
export interface ProcessIdentity {
  pid: number;
  host: string;
  /** ISO 8601. */
  since: string;
  /** Boot id of the kernel and PID namespace of `pid`; null if unknown. */
  machine: string | null;
  /** Start time of the process in clock ticks: distinguishes it from a later process with the same pid. */
  born: string | null;
}

/** This process. */
export async function describeSelf(): Promise<ProcessIdentity> {
  return describeProcess(process.pid);
}

/** A process of this host that is alive. */
export async function describeProcess(pid: number): Promise<ProcessIdentity> {
  return {
    pid,
    host: hostname(),
    since: new Date().toISOString(),
    machine: await thisMachine(),
    born: (await readStat(pid))?.born ?? null,
  };
}

/** Parses an owner file; null if it is not valid. */
export function parseOwner(text: string): ProcessIdentity | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { pid, host, since, machine, born } = value as Partial<Record<keyof ProcessIdentity, unknown>>;
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) return null;
  if (typeof host !== 'string' || typeof since !== 'string') return null;
  return { pid, host, since, machine: textOrNull(machine), born: textOrNull(born) };
}

/**
 * Whether a process is certainly dead. False if it cannot be checked: on another host, in another PID namespace, or hidden.
 */
export async function isCertainlyDead({ pid, machine, born }: ProcessIdentity): Promise<boolean> {
  if (machine === null || born === null || machine !== (await thisMachine())) return false;
  const found = await readStat(pid);
  if (found !== null) return found.born !== born || found.isZombie;
  try {
    // /proc may hide processes; signal 0 checks for existence without being sent
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}

/** Whether a process is certainly alive. False if it cannot be checked, as on another host. */
export async function isCertainlyAlive({ pid, machine, born }: ProcessIdentity): Promise<boolean> {
  if (machine === null || born === null || machine !== (await thisMachine())) return false;
  const found = await readStat(pid);
  return found !== null && found.born === born && !found.isZombie;
}

/** Reads `/proc/<pid>/stat`, see proc(5). The program's name is in parentheses and can contain anything. */
async function readStat(pid: number): Promise<{ born: string; isZombie: boolean } | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state, born] = [fields[0], fields[19]];
    return state === undefined || born === undefined ? null : { born, isZombie: state === 'Z' };
  } catch {
    return null;
  }
}

/** Host names are not unique: containers and cloned login nodes can share one. */
async function thisMachine(): Promise<string | null> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
