import type { Clock } from '../base/clock.js';
import type { RunCommand } from '../base/command.js';
import type { ConfigProblem, Origin, Settings } from '../config/index.js';

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

/** How the settings came about, for the checks of the configuration itself. */
export interface ConfigurationFacts {
  /** The profile's file, whether or not it is there. */
  path: string;
  /** Where each value came from, by key. */
  origins: Readonly<Record<string, Origin>>;
  warnings: readonly string[];
  /** Values that could not be used; their settings are at their defaults. */
  problems: readonly ConfigProblem[];
}

/** What every check works with. Nothing is reached around it. */
export interface CheckContext {
  profile: string;
  settings: Settings;
  /** Null where there is no profile yet, as in `init`: checks of the configuration are skipped. */
  configuration: ConfigurationFacts | null;
  /** Directory with the files of an existing deployment (run.sh, docker-compose.yml, worker.dist.cfg), if one is known. */
  siteDirectory: string | null;
  /** The operator's environment; read, never printed. */
  env: Readonly<Record<string, string | undefined>>;
  /** Runs commands with Slurm's environment cleaned up; see `slurmEnvironment`. */
  run: RunCommand;
  clock: Clock;
  /** Aborts when the check's time is up. */
  signal: AbortSignal;
  /** Also what takes a job on a compute node. */
  deep: boolean;
  /** Told what a deep check waits for, in one line without secrets, every few seconds. */
  onWaiting?: (line: string) => void;
  /** What the checks that this one needs have found, by id; they were ok or warned. */
  needed(id: string): unknown;
}

/** What a whole run of checks is given; the rest of {@link CheckContext} belongs to the single check. */
export type RunContext = Omit<CheckContext, 'signal' | 'needed'>;

/** What came of one check. */
export interface CheckResult {
  id: string;
  group: Group;
  title: string;
  status: Status;
  evidence: readonly string[];
  fix: string | null;
  /** How long it took. */
  ms: number;
  /** Where the check is described, from the package's directory: `docs/doctor.md#slurm-controller`. */
  docs?: string;
}

/** Something that `--fix` may do: safe, and only after it was shown. */
export interface Repair {
  /** What will be done, as a sentence without secrets. */
  what: string;
  /** @throws if it cannot be done. */
  apply(): Promise<void>;
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
  /** What can be mended from here after a warning or failure; `fact` is what `run` gave. */
  repairs?(context: RunContext, fact: unknown): Repair[];
}
