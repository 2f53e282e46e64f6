import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

import type { CommandRecord } from '../../../base/command.js';
import { maskArguments } from '../../../base/text/redact.js';
import {
  describeProcess,
  describeSelf,
  isCertainlyDead,
  type ProcessIdentity,
} from '../../run-state/process-identity.js';
import type { LocalJob } from './spool.js';

/** Exit status of a child process. */
export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** `out of reach`: on another host or in another container, where its state is unknown. */
export type ProcessState = 'alive' | 'dead' | 'out of reach';

export interface StartedProcess {
  /** Null if it ended before it could be identified. */
  process: ProcessIdentity | null;
  /** Its exit status. Processes that it started may still run then: see `killLeftovers`. */
  ended: Promise<ProcessEnd>;
}

/** The processes behind local jobs. */
export interface Processes {
  /** Starts the script of a job as the leader of its own process group, which outlives the worker. */
  start(job: LocalJob): Promise<StartedProcess>;
  /** Finds a process that a worker started and did not record before it died, by the mark in its environment. */
  findStarted(job: LocalJob): Promise<ProcessIdentity | null>;
  stateOf(process: ProcessIdentity): Promise<ProcessState>;
  /**
   * Signals the leader, which is the batch script, or its whole group, if the leader is alive and its pid was not reused.
   */
  signal(process: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL', target: 'leader' | 'group'): Promise<void>;
  /**
   * Kills the remaining processes of a job whose script has ended, as Slurm does: those that carry its mark, and those in
   * the process group of `leader`, because a container can clear its environment. They are signaled one by one, since
   * the group id of a dead leader may have been reused.
   * @param leader null unless it has just ended
   */
  killLeftovers(job: LocalJob, leader: number | null): Promise<void>;
}

/** Variable in the environment of a job's processes that identifies the job. */
const markName = 'DSA_SLURM_LOCAL_JOB';
/** Attempts to find leftovers, because a process may have forked before it was killed. */
const rounds = 5;
/** Bytes that the kernel reads of a script's first line. */
const firstLineBytes = 256;

/**
 * @param env environment of every job, without the worker's secrets
 * @param onCommand called for every script that has ended
 */
export function createProcesses(
  env: Readonly<Record<string, string | undefined>>,
  onCommand: (record: CommandRecord) => void = () => undefined,
): Processes {
  return {
    async start(job) {
      const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
      // append, as with sbatch --open-mode=append: two streams into one file must not overwrite each other
      const flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
      await using stdout = await open(job.stdout, flags, 0o600);
      await using stderr = await open(job.stderr, flags, 0o600);
      const at = Date.now();
      const began = performance.now();
      const [program, ...options] = await interpreterOf(job.script);
      const child = spawn(program, [...options, job.script, ...job.scriptArgs], {
        cwd: job.directory,
        detached: true,
        stdio: ['ignore', stdout.fd, stderr.fd],
        // the batch script writes them to its exit record
        env: {
          ...env,
          ...job.env,
          SLURM_JOB_ID: job.id,
          SLURMD_NODENAME: hostname(),
          [markName]: markOf(job),
        },
      });
      const ended = new Promise<ProcessEnd>((resolve) => {
        child.once('exit', (code, signal) => {
          const ms = Math.round(performance.now() - began);
          onCommand(
            recordOf({ at, ms }, program, [...options, job.script, ...job.scriptArgs], { code, signal }),
          );
          resolve({ code, signal });
        });
      });
      const pid = await new Promise<number>((resolve, reject) => {
        child.once('spawn', () => resolve(child.pid ?? 0));
        child.once('error', reject);
      });
      // must not keep the worker alive
      child.unref();
      const process = await describeProcess(pid);
      return { process: process.born === null ? null : process, ended };
    },
    async findStarted(job) {
      // its children carry the mark, too; the leader is the one whose pid is its group id
      const leader = (await listProcesses()).find(
        (each) => each.mark === markOf(job) && each.pid === each.group,
      );
      return leader === undefined ? null : describeProcess(leader.pid);
    },
    stateOf: whereabouts,
    async signal(owner, signal, target) {
      if ((await whereabouts(owner)) === 'alive') kill(target === 'leader' ? owner.pid : -owner.pid, signal);
    },
    async killLeftovers(job, leader) {
      for (let round = 0; round < rounds; round += 1) {
        const rest = leftoversOf(markOf(job), leader, await listProcesses());
        if (rest.length === 0) return;
        for (const pid of rest) kill(pid, 'SIGKILL');
      }
    },
  };
}

function recordOf(
  { at, ms }: Pick<CommandRecord, 'at'> & { ms: number },
  file: string,
  args: readonly string[],
  { code, signal }: ProcessEnd,
): CommandRecord {
  const output = { stdout: '', stderr: '', ms };
  return {
    at,
    file,
    args: maskArguments(args),
    result:
      signal === null
        ? { kind: 'exited', exitCode: code ?? -1, ...output }
        : { kind: 'killed', signal, stderr: '', ms },
  };
}

/**
 * The interpreter of a script, as the kernel reads it from the first line: a program and at most one argument. Without
 * such a line it is bash, where sbatch would refuse the script. As with sbatch, the script need not be executable.
 */
async function interpreterOf(script: string): Promise<[string, ...string[]]> {
  await using file = await open(script, constants.O_RDONLY);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(firstLineBytes), 0, firstLineBytes, 0);
  const [, program, argument] =
    /^#![ \t]*([^\s]+)[ \t]*([^\n]*?)\s*(?:\n|$)/.exec(buffer.toString('utf8', 0, bytesRead)) ?? [];
  if (program === undefined) return ['/bin/bash'];
  return argument === undefined || argument === '' ? [program] : [program, argument];
}

async function whereabouts(owner: ProcessIdentity): Promise<ProcessState> {
  if (await isCertainlyDead(owner)) return 'dead';
  const self = await describeSelf();
  if (owner.machine !== null && owner.machine === self.machine) return 'alive';
  // no process survives a reboot of its host
  const [boot, ownBoot] = [bootOf(owner.machine), bootOf(self.machine)];
  const isGone = owner.host === self.host && boot !== null && ownBoot !== null && boot !== ownBoot;
  return isGone ? 'dead' : 'out of reach';
}

/** A process of this host. */
interface RunningProcess {
  pid: number;
  group: number;
  /** The job's mark in its environment. Empty if that is unreadable or was cleared by a container. */
  mark: string;
}

/** All processes except zombies. */
async function listProcesses(): Promise<RunningProcess[]> {
  const found: RunningProcess[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = await readFile(`/proc/${name}/stat`, 'utf8');
      // proc(5): state, parent and group follow the program name in parentheses, which may contain anything
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z') continue;
      const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
      const marked = environment.split('\0').find((entry) => entry.startsWith(`${markName}=`));
      found.push({ pid: Number(name), group: Number(group), mark: marked?.slice(markName.length + 1) ?? '' });
    } catch {
      // it has ended
    }
  }
  return found;
}

/** Pids of the remaining processes of a job whose leader has ended. */
function leftoversOf(jobMark: string, leader: number | null, processes: readonly RunningProcess[]): number[] {
  // the leader's pid was reused, so its group is not the job's
  const isReused = processes.some(({ pid, mark }) => pid === leader && mark !== jobMark);
  return processes
    .filter(({ group, mark }) => mark === jobMark || (!isReused && mark === '' && group === leader))
    .map(({ pid }) => pid);
}

/** Sends a signal; ignores processes that have ended or belong to another user. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended
  }
}

/** The boot id is the first word of a machine's description. */
function bootOf(machine: string | null): string | null {
  return machine?.split(' ')[0] ?? null;
}

function markOf({ key, submittedAt }: LocalJob): string {
  return `${key} ${submittedAt}`;
}
