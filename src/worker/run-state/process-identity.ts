import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

import { systemCode } from '../../base/errors.js';

/** A process that has something of ours (a state directory, a job), described well enough to tell later whether it still lives. */
export interface ProcessIdentity {
  pid: number;
  host: string;
  /** ISO 8601. */
  since: string;
  /** The running kernel and the process namespace that `pid` counts in; null where the system does not tell. */
  machine: string | null;
  /** When the process began, in the kernel's own count: tells it from a later process of the same number. */
  born: string | null;
}

/** This process. */
export async function describeSelf(): Promise<ProcessIdentity> {
  return describeProcess(process.pid);
}

/** A process of this machine that is alive at present. */
export async function describeProcess(pid: number): Promise<ProcessIdentity> {
  return {
    pid,
    host: hostname(),
    since: new Date().toISOString(),
    machine: await thisMachine(),
    born: (await look(pid))?.born ?? null,
  };
}

/** An owner that was written down; null if the text is none. */
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
 * Whether the owner is certainly dead. An owner on another machine, in another container, or one that the system does
 * not let us look at may be alive: false.
 */
export async function isCertainlyDead({ pid, machine, born }: ProcessIdentity): Promise<boolean> {
  if (machine === null || born === null || machine !== (await thisMachine())) return false;
  const found = await look(pid);
  if (found !== null) return found.born !== born || found.isZombie;
  try {
    // /proc may be hidden from us; a signal that is never sent asks the kernel itself
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}

/** Whether the owner is a process of this machine that lives. One elsewhere may live, too: false. */
export async function isCertainlyAlive({ pid, machine, born }: ProcessIdentity): Promise<boolean> {
  if (machine === null || born === null || machine !== (await thisMachine())) return false;
  const found = await look(pid);
  return found !== null && found.born === born && !found.isZombie;
}

/** proc(5): of `/proc/<pid>/stat`, the fields after the program's name in brackets, which may hold anything. */
async function look(pid: number): Promise<{ born: string; isZombie: boolean } | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state, born] = [fields[0], fields[19]];
    return state === undefined || born === undefined ? null : { born, isZombie: state === 'Z' };
  } catch {
    return null;
  }
}

/** Host names do not do: containers share them, and so do cloned login nodes with one shared home. */
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
