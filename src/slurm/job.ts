import type { JobState } from './states.js';

/**
 * One job as Slurm's last answer describes it. Texts are Slurm's own; empty where Slurm left them empty.
 */
export interface JobRow {
  /** `123`, or `123_4` for a task of a job array. */
  id: string;
  name: string;
  user: string;
  /** Base state plus flags, parsed. */
  state: JobState;
  /** Slurm's reason for a waiting or ended job: `Resources`, `Priority`, `TimeLimit`, …; empty when none. */
  reason: string;
  partition: string;
  /** Node list in Slurm's own compact form; empty while it waits. */
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
  /** For a waiting job: when Slurm expects to start it. */
  expectedStart: number | null;
  endedAt: number | null;
  /** `exit:signal` of the batch script, once it ended. */
  exitCode: { code: number; signal: number } | null;
  /** The run's key, if the job carries one of ours (see key.ts). */
  key: string | null;
  /** The mark of whoever submitted it (see key.ts). */
  mark: string | null;
}
