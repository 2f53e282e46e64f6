import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { replaceFile } from '../../base/replace-file.js';
import { profilePath } from '../../config/paths.js';
import type { Draft } from '../init-answers.js';
import type { Walk } from './question-flow.js';

/** What the wizard remembers of a profile: secrets are in it, so the files are the operator's alone. */
export interface AnswerStore {
  /** Answers of the last time that it came to its end, and the doubts that were brushed aside then. */
  answers(): Promise<SavedAnswers>;
  saveAnswers(saved: SavedAnswers): Promise<void>;
  /** A way that was broken off. */
  progress(): Promise<Walk | null>;
  saveProgress(walk: Walk): Promise<void>;
  forgetProgress(): Promise<void>;
  progressPath: string;
}

/** A {@link Walk} that came to its end. */
export type SavedAnswers = Pick<Walk, 'draft' | 'accepted'>;

/** Doubts about what stays as it is. That a service was down is told again if it still is. */
const lasting = /^(local|guest|mongo|admin):/;

const draft = z.record(z.string(), z.unknown()).transform((value) => value as Draft);
const walk = z.object({
  draft,
  known: draft,
  steps: z.array(z.object({ key: z.string(), asked: z.boolean(), before: draft })),
  accepted: z.array(z.string()),
});

const saved = z.object({ draft, accepted: z.array(z.string()) });

/** Two files in `init` beside the profiles. One that cannot be read counts as not there. */
export function openAnswerStore(configDir: string, profile: string): AnswerStore {
  // the same names that profiles may have
  const name = profilePath(configDir, profile).slice(configDir.length + 1, -'.json'.length);
  const answersPath = join(configDir, 'init', `${name}.answers.json`);
  const progressPath = join(configDir, 'init', `${name}.progress.json`);
  return {
    progressPath,
    answers: async () => (await read(answersPath, saved)) ?? { draft: {}, accepted: [] },
    saveAnswers: async ({ draft, accepted }) =>
      write(answersPath, { draft, accepted: accepted.filter((id) => lasting.test(id)) }),
    progress: async () => read(progressPath, walk),
    saveProgress: async (value) => write(progressPath, value),
    forgetProgress: async () => rm(progressPath, { force: true }),
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
      next: `Check that ${dirname(path)} is yours and has room.`,
      cause: thrown,
    });
  }
}
