import type { RunCommand } from '../base/command.js';
import type { Applied, Change } from './apply/index.js';
import type { Detection } from './detect/detect.js';
import type { SiteProbes } from './detect/site-probes.js';
import type { PresetAnswers, PresetSources } from './flow/preset-answers.js';
import type { ImportedSite } from './import/index.js';
import type { Draft } from './init-answers.js';
import type { MigrationReview } from './migrate/review.js';
import type { AnswerStore } from './flow/answer-store.js';

/** What `dsa-slurm migrate from` adds to init. */
export interface MigrationSteps {
  /** Called before the files are listed, also with answers that are incomplete. */
  review: (imported: ImportedSite, draft: Draft) => Promise<MigrationReview>;
  /** Called with what was written. */
  onApplied: (changes: readonly Change[], applied: Applied) => Promise<void>;
  /** Next commands, each with its purpose. */
  next: readonly (readonly [string, string])[];
}

export interface InitOptions {
  profile: string;
  /** The operator's environment: answers (`DSA_SLURM_INIT_…`), directories, and the environment of commands. */
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute path of `bin/dsa-slurm`, for the unit and run.sh. */
  program: string;
  answers: Omit<PresetSources, 'env'>;
  /** Directory of an existing site whose values are proposed. */
  from: string | null;
  /** Null: this is init itself. */
  migration: MigrationSteps | null;
  yes: boolean;
  dryRun: boolean;
  json: boolean;
  printAnswers: boolean;
  /** Generate missing passwords of new services. */
  generatePasswords: boolean;
  /** Without prompts: overwrite edited files. */
  overwrite: boolean;
  /** Without prompts: check the directories with a job on the compute nodes. */
  probe: boolean;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean };
  stderr: NodeJS.WritableStream;
  signal: AbortSignal;
}

/** Shared context of the interactive and the non-interactive flow. */
export interface InitContext extends InitOptions {
  run: RunCommand;
  probes: SiteProbes;
  store: AnswerStore;
  presets: PresetAnswers;
  /** Previous answers: from an import, the profile, and the last run of init. */
  known: Draft;
  /** Ids of accepted warnings about them. */
  accepted: readonly string[];
  imported: ImportedSite | null;
  detected: Detection;
}
