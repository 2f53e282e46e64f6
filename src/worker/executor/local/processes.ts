import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';

import type { CommandRecord } from '../../../base/command.js';
import { maskArguments } from '../../../base/mask-arguments.js';
import { describeProcess, describeSelf, isCertainlyDead, type Owner } from '../../owner.js';
import type { LocalJob } from './spool.js';

/** How a process of ours went: what the kernel told its parent. */
export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** `out of reach`: on another host or in another container, where nobody here can tell. */
export type Whereabouts = 'alive' | 'dead' | 'out of reach';

export interface Started {
  /** Null if it had ended before it could be looked at. */
  process: Owner | null;
  /** How it ends, if this worker lives to see it. Whatever is left of its group is dead then. */
  ended: Promise<ProcessEnd>;
}

/** The processes behind local jobs. */
export interface Processes {
  /** Starts the script of a job as the leader of a process group of its own, which goes on when the worker ends. */
  start(job: LocalJob): Promise<Started>;
  /** A worker that died between intent and note may have left a process: it is known by the mark in its environment. */
  findStarted(job: LocalJob): Promise<Owner | null>;
  whereabouts(process: Owner): Promise<Whereabouts>;
  /** Signals the whole group, if its leader is alive and the very one that is meant. */
  signal(process: Owner, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Kills what a job whose script is over has left running, as Slurm does. */
  killRest(job: LocalJob): Promise<void>;
}

/** Stands in the environment of each job's process, and so in those of its children. */
const mark = 'DSA_SLURM_LOCAL_JOB';
/** What is killed may have just begun something else: it is looked for again, so often at most. */
const rounds = 5;

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
      const child = spawn('/bin/bash', [job.script, ...job.scriptArgs], {
        cwd: dirname(job.logFile),
        detached: true,
        stdio: ['ignore', stdout.fd, stderr.fd],
        // what the batch script writes into its exit record
        env: { ...env, ...job.env, SLURM_JOB_ID: job.id, SLURMD_NODENAME: hostname(), [mark]: markOf(job) },
      });
      const ended = new Promise<ProcessEnd>((resolve) => {
        child.once('exit', (code, signal) => {
          // its number is given to nobody else as long as there is anything left in its group
          if (child.pid !== undefined) kill(-child.pid, 'SIGKILL');
          onCommand(recordOf(at, job, { code, signal }));
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
      const leader = (await marked(job)).find(({ pid, group }) => pid === group);
      return leader === undefined ? null : describeProcess(leader.pid);
    },
    whereabouts,
    async signal(owner, signal) {
      if ((await whereabouts(owner)) === 'alive') kill(-owner.pid, signal);
    },
    async killRest(job) {
      for (let round = 0; round < rounds; round += 1) {
        const rest = await marked(job);
        if (rest.length === 0) return;
        for (const { pid } of rest) kill(pid, 'SIGKILL');
      }
    },
  };
}

function recordOf(at: number, job: LocalJob, { code, signal }: ProcessEnd): CommandRecord {
  const ms = Date.now() - at;
  const said = { stdout: '', stderr: '', ms };
  return {
    at,
    file: '/bin/bash',
    args: maskArguments([job.script, ...job.scriptArgs]),
    result:
      signal === null
        ? { kind: 'exited', exitCode: code ?? -1, ...said }
        : { kind: 'killed', signal, stderr: '', ms },
  };
}

async function whereabouts(owner: Owner): Promise<Whereabouts> {
  if (await isCertainlyDead(owner)) return 'dead';
  const self = await describeSelf();
  if (owner.machine !== null && owner.machine === self.machine) return 'alive';
  // nothing outlives a restart of its host
  const [boot, ownBoot] = [bootOf(owner.machine), bootOf(self.machine)];
  const isGone = owner.host === self.host && boot !== null && ownBoot !== null && boot !== ownBoot;
  return isGone ? 'dead' : 'out of reach';
}

/** Processes of this machine that carry the mark of a job, zombies left out. */
async function marked(job: LocalJob): Promise<{ pid: number; group: number }[]> {
  const wanted = `${mark}=${markOf(job)}`;
  const found: { pid: number; group: number }[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!(await readFile(`/proc/${name}/environ`, 'utf8')).split('\0').includes(wanted)) continue;
      const stat = await readFile(`/proc/${name}/stat`, 'utf8');
      // proc(5): state, parent, group, after the program's name in brackets, which may hold anything
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state !== 'Z') found.push({ pid: Number(name), group: Number(group) });
    } catch {
      // somebody else's, or gone meanwhile
    }
  }
  return found;
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
