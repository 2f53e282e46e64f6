import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

import type { CommandRecord } from '../../../base/command.js';
import { maskArguments } from '../../../base/redact.js';
import {
  describeProcess,
  describeSelf,
  isCertainlyDead,
  type ProcessIdentity,
} from '../../run-state/process-identity.js';
import type { LocalJob } from './spool.js';

/** How a process of ours went: what the kernel told its parent. */
export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** `out of reach`: on another host or in another container, where nobody here can tell. */
export type ProcessState = 'alive' | 'dead' | 'out of reach';

export interface StartedProcess {
  /** Null if it had ended before it could be looked at. */
  process: ProcessIdentity | null;
  /** How it ends, if this worker lives to see it. What it has left running is not dead then: see `killRest`. */
  ended: Promise<ProcessEnd>;
}

/** The processes behind local jobs. */
export interface Processes {
  /** Starts the script of a job as the leader of a process group of its own, which goes on when the worker ends. */
  start(job: LocalJob): Promise<StartedProcess>;
  /** A worker that died between intent and note may have left a process: it is known by the mark in its environment. */
  findStarted(job: LocalJob): Promise<ProcessIdentity | null>;
  stateOf(process: ProcessIdentity): Promise<ProcessState>;
  /**
   * Signals the leader, which is the batch script, or its whole group, if the leader is alive and the very process that is
   * meant.
   */
  signal(process: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL', whom: 'leader' | 'group'): Promise<void>;
  /**
   * Kills what a job whose script is over has left running, as Slurm does: whoever carries its mark. A container can
   * take that away, so whoever is in the group of `leader` is meant as well. The group is never signaled as such, since
   * the number of a dead leader may be another's by now.
   * @param leader null unless it has ended just now
   */
  killLeftovers(job: LocalJob, leader: number | null): Promise<void>;
}

/** Stands in the environment of each job's process, and so in those of its children. */
const markName = 'DSA_SLURM_LOCAL_JOB';
/** What is killed may have just begun something else: it is looked for again, so often at most. */
const rounds = 5;
/** Bytes of a script that the kernel looks at. */
const firstLine = 256;

/**
 * @param env what every job inherits, free of the worker's own secrets
 * @param onCommand told of every script that has ended, as of a command
 */
export function createProcesses(
  env: Readonly<Record<string, string | undefined>>,
  onCommand: (record: CommandRecord) => void = () => undefined,
): Processes {
  return {
    async start(job) {
      const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
      // appended to, as sbatch is told: two streams into one file must not overwrite one another
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
        // what the batch script writes into its exit record
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
      // the worker may end before it does
      child.unref();
      const process = await describeProcess(pid);
      return { process: process.born === null ? null : process, ended };
    },
    async findStarted(job) {
      // its children carry the mark as well; the leader is the one whose group has its own number
      const leader = (await look()).find((each) => each.mark === markOf(job) && each.pid === each.group);
      return leader === undefined ? null : describeProcess(leader.pid);
    },
    stateOf: whereabouts,
    async signal(owner, signal, whom) {
      if ((await whereabouts(owner)) === 'alive') kill(whom === 'leader' ? owner.pid : -owner.pid, signal);
    },
    async killLeftovers(job, leader) {
      for (let round = 0; round < rounds; round += 1) {
        const rest = leftOf(markOf(job), leader, await look());
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
  const said = { stdout: '', stderr: '', ms };
  return {
    at,
    file,
    args: maskArguments(args),
    result:
      signal === null
        ? { kind: 'exited', exitCode: code ?? -1, ...said }
        : { kind: 'killed', signal, stderr: '', ms },
  };
}

/**
 * What runs a script, as the kernel reads its first line: a program and one argument at most. sbatch refuses a script
 * without such a line; here that is for bash. The script itself need not be executable, as with sbatch.
 */
async function interpreterOf(script: string): Promise<[string, ...string[]]> {
  await using file = await open(script, constants.O_RDONLY);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(firstLine), 0, firstLine, 0);
  const [, program, argument] =
    /^#![ \t]*([^\s]+)[ \t]*([^\n]*?)\s*(?:\n|$)/.exec(buffer.toString('utf8', 0, bytesRead)) ?? [];
  if (program === undefined) return ['/bin/bash'];
  return argument === undefined || argument === '' ? [program] : [program, argument];
}

async function whereabouts(owner: ProcessIdentity): Promise<ProcessState> {
  if (await isCertainlyDead(owner)) return 'dead';
  const self = await describeSelf();
  if (owner.machine !== null && owner.machine === self.machine) return 'alive';
  // nothing outlives a restart of its host
  const [boot, ownBoot] = [bootOf(owner.machine), bootOf(self.machine)];
  const isGone = owner.host === self.host && boot !== null && ownBoot !== null && boot !== ownBoot;
  return isGone ? 'dead' : 'out of reach';
}

/** A process of this machine. */
interface Seen {
  pid: number;
  group: number;
  /** What stands for a job in its environment. Empty if that may not be read, or if a container has emptied it. */
  mark: string;
}

/** All processes but zombies. */
async function look(): Promise<Seen[]> {
  const found: Seen[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = await readFile(`/proc/${name}/stat`, 'utf8');
      // proc(5): state, parent, group, after the program's name in brackets, which may hold anything
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z') continue;
      const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
      const marked = environment.split('\0').find((entry) => entry.startsWith(`${markName}=`));
      found.push({ pid: Number(name), group: Number(group), mark: marked?.slice(markName.length + 1) ?? '' });
    } catch {
      // gone meanwhile
    }
  }
  return found;
}

/** Numbers of what is left of a job whose leader is dead. */
function leftOf(wanted: string, leader: number | null, seen: readonly Seen[]): number[] {
  // whoever has the leader's number now leads a group that is not ours
  const isTaken = seen.some(({ pid, mark }) => pid === leader && mark !== wanted);
  return seen
    .filter(({ group, mark }) => mark === wanted || (!isTaken && mark === '' && group === leader))
    .map(({ pid }) => pid);
}

/** Sends a signal; whoever is gone or not ours is left alone. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone already
  }
}

/** The first word of a machine's description is the id of its boot. */
function bootOf(machine: string | null): string | null {
  return machine?.split(' ')[0] ?? null;
}

function markOf({ key, submittedAt }: LocalJob): string {
  return `${key} ${submittedAt}`;
}
