import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { replaceFile } from '../../base/files/replace-file.js';
import { profilePath } from '../../config/paths.js';
import type { Draft } from '../init-answers.js';
import type { FlowState } from './question-flow.js';

/** Stores answers of a profile. The files contain secrets and are private to the operator. */
export interface AnswerStore {
  /** Answers of the last completed run of init, and the warnings accepted in it. */
  answers(): Promise<SavedAnswers>;
  saveAnswers(saved: SavedAnswers): Promise<void>;
  /** Progress of a run of init that was interrupted. */
  progress(): Promise<FlowState | null>;
  saveProgress(flow: FlowState): Promise<void>;
  deleteProgress(): Promise<void>;
  progressPath: string;
}

/** The part of a completed {@link FlowState} that is kept. */
type SavedAnswers = Pick<FlowState, 'draft' | 'accepted'>;

/** Ids of warnings that stay accepted. Others, such as that a service is down, are repeated if they still apply. */
const permanentWarnings = /^(local|guest|mongo|admin):/;

const draft = z.record(z.string(), z.unknown()).transform((value) => value as Draft);
const flow = z.object({
  draft,
  known: draft,
  steps: z.array(z.object({ key: z.string(), asked: z.boolean(), before: draft })),
  accepted: z.array(z.string()),
});

const saved = z.object({ draft, accepted: z.array(z.string()) });

/** Opens the store: two files in `init`, in the directory of the profiles. An unreadable file counts as missing. */
export function openAnswerStore(configDir: string, profile: string): AnswerStore {
  // validates the name
  const name = profilePath(configDir, profile).slice(configDir.length + 1, -'.json'.length);
  const answersPath = join(configDir, 'init', `${name}.answers.json`);
  const progressPath = join(configDir, 'init', `${name}.progress.json`);
  return {
    progressPath,
    answers: async () => (await read(answersPath, saved)) ?? { draft: {}, accepted: [] },
    saveAnswers: async ({ draft, accepted }) =>
      write(answersPath, { draft, accepted: accepted.filter((id) => permanentWarnings.test(id)) }),
    progress: async () => read(progressPath, flow),
    saveProgress: async (value) => write(progressPath, value),
    deleteProgress: async () => rm(progressPath, { force: true }),
  };
}

async function read<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    const result = schema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}

async function write(path: string, value: unknown): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, `${JSON.stringify(value, null, 2)}\n`);
  } catch (thrown) {
    throw new DsaSlurmError('files', `${path} cannot be written: ${errorLine(thrown)}.`, {
      next: `Check that you own ${dirname(path)} and that its file system has space.`,
      cause: thrown,
    });
  }
}
