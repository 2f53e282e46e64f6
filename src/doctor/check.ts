import type { Clock } from '../base/clock.js';
import type { RunCommand } from '../base/command.js';
import type { Settings } from '../config/index.js';

/** Where a check belongs, in the order of the report. */
export const groups = [
  'host',
  'configuration',
  'directories',
  'slurm',
  'apptainer',
  'images',
  'rabbitmq',
  'mongo',
  'girder',
  'celery',
  'worker',
] as const;

export type Group = (typeof groups)[number];

export type Status = 'ok' | 'warn' | 'fail' | 'skip';

/** What a check found out. */
export interface Finding {
  status: Status;
  /** What was seen, one fact a line, without secrets. */
  evidence: readonly string[];
  /** How to mend it: a sentence, or a command that can be pasted. */
  fix?: string;
}

/** What every check works with. Nothing is reached around it. */
export interface CheckContext {
  profile: string;
  settings: Settings;
  /** The operator's environment; read, never printed. */
  env: Readonly<Record<string, string | undefined>>;
  /** Runs commands with Slurm's environment cleaned up; see `slurmEnvironment`. */
  run: RunCommand;
  clock: Clock;
  /** Aborts when the check's time is up. */
  signal: AbortSignal;
  /** Also what takes a job on a compute node. */
  deep: boolean;
  /** What the checks that this one needs have found, by id; they were ok or warned. */
  needed(id: string): unknown;
}

/** One small independent question. */
export interface Check {
  /** `rabbitmq.connect`; the part before the dot is the group. */
  id: string;
  group: Group;
  title: string;
  /** Ids of checks that must not have failed before. */
  needs?: readonly string[];
  /** Only with `--deep`. */
  deep?: boolean;
  /** Milliseconds. Default 5,000. */
  timeoutMs?: number;
  /** May throw: what is thrown becomes a failure with its sentence. `fact` is handed to those that need this check. */
  run(context: CheckContext): Promise<Finding & { fact?: unknown }>;
}
