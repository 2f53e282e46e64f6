import { lstat, mkdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { DsaSlurmError, errorLine, systemCode } from '../../base/errors.js';
import { replaceFile } from '../../base/files/replace-file.js';
import { configDirectory, profilePath } from '../../config/paths.js';
import type { Applied, Change } from '../apply/index.js';
import { readPresent } from '../apply/compare.js';
import { digest } from '../apply/manifest.js';

type Env = Readonly<Record<string, string | undefined>>;

const schema = z.object({
  format: z.literal(1),
  /** Directory of the old setup. */
  from: z.string().nullable(),
  /** Files that were written: the target of a link, SHA-256 of what was written, and the backup of what was there before. */
  files: z.array(z.object({ path: z.string(), written: z.string(), backup: z.string().nullable() })),
  /** Content of init's manifest before; null: there was none. */
  manifest: z.string().nullable(),
  /** Python workers whose consumer of a queue was canceled. */
  drained: z.array(z.object({ node: z.string(), queue: z.string() })),
});

/** What a migration has changed, so that it can be undone. Contains no secret. */
export type MigrationRecord = z.infer<typeof schema>;

export const emptyRecord: MigrationRecord = { format: 1, from: null, files: [], manifest: null, drained: [] };

function recordPath(env: Env, profile: string): string {
  const configDir = configDirectory(env);
  // validates the name
  const name = profilePath(configDir, profile).slice(configDir.length + 1, -'.json'.length);
  return join(configDir, 'init', `${name}.migration.json`);
}

/** @returns null: nothing was migrated @throws DsaSlurmError `files` if the record cannot be read */
export async function readRecord(env: Env, profile: string): Promise<MigrationRecord | null> {
  const path = recordPath(env, profile);
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return null;
    throw new DsaSlurmError('files', `${path} cannot be read.`, {
      next: 'It says what a migration has changed. Repair it, or move it away: then the migration cannot be undone.',
      cause,
    });
  }
}

/** Writes the record, or removes it if nothing is left to undo. @throws DsaSlurmError `files` */
export async function writeRecord(env: Env, profile: string, record: MigrationRecord): Promise<void> {
  const path = recordPath(env, profile);
  try {
    if (record.files.length === 0 && record.drained.length === 0) {
      await rm(path, { force: true });
      return;
    }
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, `${JSON.stringify(record, null, 2)}\n`);
  } catch (cause) {
    throw new DsaSlurmError('files', `${path} cannot be written: ${errorLine(cause)}.`, {
      next: `Check that you own ${dirname(path)} and that its file system has space.`,
      cause,
    });
  }
}

/** The record with what was written now; of a file that was written before, the oldest backup counts. */
export function withFiles(
  record: MigrationRecord,
  changes: readonly Change[],
  { written, backups }: Applied,
): MigrationRecord {
  const now = changes
    .filter(({ file }) => written.includes(file.path))
    .map(({ file, target }) => {
      const earlier = record.files.find(({ path }) => path === target);
      const backup = earlier === undefined ? (backups[file.path] ?? null) : earlier.backup;
      return { path: target, written: digest(file.content), backup };
    });
  const others = record.files.filter(({ path }) => now.every((file) => file.path !== path));
  return { ...record, files: [...others, ...now] };
}

/** What undoing did with the files. */
export interface RestoredFiles {
  /** The content from before is back. */
  restored: string[];
  /** There was none before. */
  removed: string[];
  /** They were edited since, and are as they are. */
  kept: string[];
}

/**
 * Restores the files of a record: all are checked before the first is changed.
 * @throws DsaSlurmError `files` if a backup is missing; then nothing was changed
 */
export async function restoreFiles(
  { files, manifest }: MigrationRecord,
  manifestPath: string,
): Promise<RestoredFiles> {
  const result: RestoredFiles = { restored: [], removed: [], kept: [] };
  const steps: (() => Promise<void>)[] = [];
  for (const { path, written, backup } of files) {
    const present = await readPresent(path);
    if (present !== null && digest(present.content) !== written) {
      result.kept.push(path);
    } else if (backup !== null) {
      await checkBackup(backup);
      result.restored.push(path);
      steps.push(async () => rename(backup, path));
    } else if (present !== null) {
      result.removed.push(path);
      steps.push(async () => unlink(path));
    }
  }
  for (const step of steps) await step();
  if (files.length > 0) {
    if (manifest === null) await rm(manifestPath, { force: true });
    else await replaceFile(manifestPath, manifest);
  }
  return result;
}

async function checkBackup(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => null);
  if (stats?.isFile() === true) return;
  throw new DsaSlurmError('files', `The backup ${path} is missing. Nothing was changed.`, {
    next: 'Restore the file by hand, or run init again.',
  });
}
