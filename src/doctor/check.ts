import type { Clock } from '../base/clock.js';
import type { RunCommand } from '../base/command.js';
import type { ConfigProblem, Origin, Settings } from '../config/index.js';
import type { CheckFacts, FactId } from './facts.js';

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

/** The result of a check. */
export interface Finding {
  status: Status;
  /** One fact per line, without secrets. */
  evidence: readonly string[];
  /** How to fix it: a sentence, or a command to paste. */
  fix?: string;
}

/** Origin of the settings, for the checks of the configuration. */
export interface ConfigurationFacts {
  /** Path of the profile, whether or not it exists. */
  path: string;
  /** Source of each value, by key. */
  origins: Readonly<Record<string, Origin>>;
  warnings: readonly string[];
  /** Invalid values; the checks use the default instead. */
  problems: readonly ConfigProblem[];
}

/** Everything that a check may use; checks reach nothing else. */
export interface CheckContext {
  profile: string;
  settings: Settings;
  /** Null if there is no profile yet, as in `init`: checks of the configuration are skipped. */
  configuration: ConfigurationFacts | null;
  /** Directory of an existing deployment (run.sh, docker-compose.yml, worker.dist.cfg), if known. */
  siteDirectory: string | null;
  /** The operator's environment; read, never printed. */
  env: Readonly<Record<string, string | undefined>>;
  /** Runs commands in the environment of `slurmEnvironment`. */
  run: RunCommand;
  clock: Clock;
  /** Aborts at the check's time limit. */
  signal: AbortSignal;
  /** Include checks that need a job, a container or a task. */
  deep: boolean;
  /** Called every few seconds with what a deep check is waiting for, in one line without secrets. */
  onWaiting?: (line: string) => void;
  /** Facts of the needed checks, by id; those checks were ok or warned. */
  needed<Id extends FactId>(id: Id): CheckFacts[Id];
}

/** Context of a whole run; the rest of {@link CheckContext} is specific to one check. */
export type RunContext = Omit<CheckContext, 'signal' | 'needed'>;

/** The reported result of one check. */
export interface CheckResult {
  id: string;
  group: Group;
  title: string;
  status: Status;
  evidence: readonly string[];
  fix: string | null;
  /** Duration in milliseconds. */
  ms: number;
  /** Documentation of the check, relative to the package: `docs/doctor.md#slurm-controller`. */
  docs?: string;
}

/** A safe change that `--fix` makes after showing it. */
export interface Repair {
  /** The change, in one line without secrets. */
  what: string;
  /** @throws if the change fails */
  apply(): Promise<void>;
}

/** The fact of a check: declared in {@link CheckFacts} for those that others need, else private to its `repairs`. */
type FactOf<Id extends string> = Id extends FactId ? CheckFacts[Id] : unknown;

/** One small, independent check. */
export interface Check<Id extends string = string> {
  /** `rabbitmq.connect`; the part before the dot is the group. */
  id: Id;
  group: Group;
  title: string;
  /** Ids of checks that must have passed, with or without a warning. */
  needs?: readonly string[];
  /** Runs only with `--deep`. */
  deep?: boolean;
  /** Milliseconds. Default 5,000. */
  timeoutMs?: number;
  /** What no answer within that time means; default: a failure. */
  whenLate?: Finding;
  /** An exception becomes a failure with its message. `fact` is passed to the checks that need this one. */
  run(context: CheckContext): Promise<Finding & { fact?: FactOf<Id> }>;
  /** Fixes after a warning or failure; `fact` is what `run` returned. Not called if it returned none. */
  repairs?(context: RunContext, fact: FactOf<Id> | undefined): Repair[];
}
