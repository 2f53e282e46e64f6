import type { JobState } from './states.js';

/**
 * One job as reported by squeue. Texts are as Slurm prints them; empty if Slurm leaves them empty.
 */
export interface JobRow {
  /** `123`, or `123_4` for a task of a job array. */
  id: string;
  name: string;
  user: string;
  /** Base state plus flags, parsed. */
  state: JobState;
  /** Slurm's reason for a pending or ended job: `Resources`, `Priority`, `TimeLimit`, …; empty if there is none. */
  reason: string;
  partition: string;
  /** Node list in Slurm's compact form; empty while the job is pending. */
  nodes: string;
  cpus: number | null;
  /** Memory as Slurm prints it: `1G`. */
  memory: string;
  gres: string;
  /** Seconds. */
  elapsed: number | null;
  /** Seconds; null for UNLIMITED or unknown. */
  timeLimit: number | null;
  /** Milliseconds since the epoch. */
  submittedAt: number | null;
  startedAt: number | null;
  /** For a pending job: when Slurm expects to start it. */
  expectedStart: number | null;
  endedAt: number | null;
  /** Exit code and signal of the batch script, once the job has ended. */
  exitCode: { code: number; signal: number } | null;
  /** The run's key if dsa-slurm submitted the job (see job-identity.ts). */
  key: string | null;
  /** The mark of the worker that submitted it (see job-identity.ts). */
  mark: string | null;
}
