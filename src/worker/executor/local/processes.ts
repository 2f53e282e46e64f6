import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';

import { describeProcess, isCertainlyDead, type Owner } from '../../owner.js';
import type { LocalJob } from './spool.js';

/** How a process of ours went: what the kernel told its parent. */
export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The processes behind local jobs. */
export interface Processes {
  /**
   * Starts the script of a job as the leader of a process group of its own, which goes on when the worker ends.
   * @returns who it is, and how it ends if this worker lives to see it
   */
  start(job: LocalJob): Promise<{ process: Owner; ended: Promise<ProcessEnd> }>;
  /** A worker that died between intent and note may have left a process: it is known by the mark in its environment. */
  findStarted(job: LocalJob): Promise<Owner | null>;
  isDead(process: Owner): Promise<boolean>;
  /** Signals the whole group. A group that is gone is no error. */
  signal(process: Owner, signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** Stands in the environment of each job's process. */
const mark = 'DSA_SLURM_LOCAL_JOB';

/** @param env what every job inherits, free of the worker's own secrets */
export function createProcesses(env: Readonly<Record<string, string | undefined>>): Processes {
  return {
    async start(job) {
      const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
      // appended to, as sbatch is told: two streams into one file must not overwrite one another
      const flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
      await using stdout = await open(job.stdout, flags, 0o600);
      await using stderr = await open(job.stderr, flags, 0o600);
      const child = spawn('/bin/bash', [job.script, ...job.scriptArgs], {
        cwd: dirname(job.logFile),
        detached: true,
        stdio: ['ignore', stdout.fd, stderr.fd],
        // what the batch script writes into its exit record
        env: { ...env, ...job.env, SLURM_JOB_ID: job.id, SLURMD_NODENAME: hostname(), [mark]: markOf(job) },
      });
      const ended = new Promise<ProcessEnd>((resolve) => {
        child.once('exit', (code, signal) => resolve({ code, signal }));
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      // the worker may end before it does
      child.unref();
      return { process: await describeProcess(child.pid ?? 0), ended };
    },
    async findStarted(job) {
      const wanted = `${mark}=${markOf(job)}`;
      for (const name of await readdir('/proc').catch(() => [])) {
        if (!/^\d+$/.test(name)) continue;
        try {
          const variables = (await readFile(`/proc/${name}/environ`, 'utf8')).split('\0');
          if (!variables.includes(wanted)) continue;
          // its children carry the mark as well; the leader is the one whose group has its own number (proc(5), field 5)
          const stat = await readFile(`/proc/${name}/stat`, 'utf8');
          const group = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2];
          if (group === name) return await describeProcess(Number(name));
        } catch {
          // somebody else's, or gone meanwhile
        }
      }
      return null;
    },
    async isDead(owner) {
      if (await isCertainlyDead(owner)) return true;
      // nothing outlives a restart of its host
      const { machine } = await describeProcess(process.pid);
      return (
        owner.host === hostname() && bootOf(machine) !== null && bootOf(owner.machine) !== bootOf(machine)
      );
    },
    signal({ pid }, signal) {
      try {
        process.kill(-pid, signal);
      } catch {
        // gone already
      }
    },
  };
}

/** The first word of a machine's description is the id of its boot. */
function bootOf(machine: string | null): string | null {
  return machine?.split(' ')[0] ?? null;
}

function markOf({ key, submittedAt }: LocalJob): string {
  return `${key} ${submittedAt}`;
}
