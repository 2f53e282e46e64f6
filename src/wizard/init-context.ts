import type { RunCommand } from '../base/command.js';
import type { Detection } from './detect/detect.js';
import type { Doors } from './detect/site-probes.js';
import type { Given, GivenSources } from './flow/preset-answers.js';
import type { Imported } from './import/index.js';
import type { Draft } from './init-answers.js';
import type { AnswerStore } from './flow/answer-store.js';

export interface InitOptions {
  profile: string;
  /** The operator's environment: answers (`DSA_SLURM_INIT_…`), places, and what commands are run with. */
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute path of `bin/dsa-slurm`, for the unit and run.sh. */
  program: string;
  answers: Omit<GivenSources, 'env'>;
  /** Directory of an old site, whose files are read for proposals. */
  from: string | null;
  yes: boolean;
  dryRun: boolean;
  json: boolean;
  printAnswers: boolean;
  /** Make up passwords that are new and that nobody gave. */
  generatePasswords: boolean;
  /** Overwrite files that were changed by hand, where nobody can be asked. */
  overwrite: boolean;
  /** Have a job look at the directories from the nodes, where nobody can be asked. */
  probe: boolean;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean };
  stderr: NodeJS.WritableStream;
  signal: AbortSignal;
}

/** What every way of running the wizard works with. */
export interface InitSite extends InitOptions {
  run: RunCommand;
  doors: Doors;
  store: AnswerStore;
  given: Given;
  /** What was so before: what an import tells, what the profile holds, what was answered the last time. */
  known: Draft;
  /** Doubts about it that were brushed aside. */
  accepted: readonly string[];
  imported: Imported | null;
  detected: Detection;
}
