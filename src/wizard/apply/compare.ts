import { constants, type Stats } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { DsaSlurmError, errorLine, systemCode } from '../../base/errors.js';
import { createTextMask, maskAssignment } from '../../base/text/redact.js';
import type { PlannedFile } from '../init-answers.js';
import { unifiedDiff } from './diff.js';
import { digest, readManifest } from './manifest.js';

/** Generated files are much smaller: a larger file is not from init. */
const maxBytes = 4 * 1024 * 1024;

/** A planned file compared with the existing one. */
export interface Change {
  file: PlannedFile;
  /** Path to write: `file.path`, or the target of a link in the same directory. */
  target: string;
  /** `edited`: the existing file is not what init last wrote. */
  change: 'new' | 'changed' | 'same' | 'edited';
  /** Unified diff with secrets masked; empty for `same`. */
  diff: string;
  /** SHA-256 of the existing file; null for `new`. */
  before: string | null;
}

export interface CompareOptions {
  /** Where `apply` records what it wrote. */
  manifestPath: string;
  /** Values to mask, in addition to those that look like secrets. */
  secrets: readonly string[];
}

/**
 * Compares planned files with existing ones, without changing anything.
 * @throws DsaSlurmError `files` for a path that cannot be read or must not be written
 */
export async function compare(
  files: readonly PlannedFile[],
  { manifestPath, secrets }: CompareOptions,
): Promise<Change[]> {
  const manifest = await readManifest(manifestPath);
  const maskSecrets = createTextMask(secrets);
  // control characters could control the terminal
  const mask = (line: string): string =>
    maskAssignment(maskSecrets(line)).replaceAll(/[^\P{Cc}\t]/gu, '\u{FFFD}');
  const changes: Change[] = [];
  for (const file of files) {
    const target = await resolveTarget(file.path);
    const present = await readPresent(target);
    if (present === null) {
      const diff = unifiedDiff('', file.content, mask);
      changes.push({ file, target, change: 'new', diff, before: null });
      continue;
    }
    const before = digest(present.content);
    const sameText = before === digest(file.content);
    const modeDiff =
      present.mode === file.mode ? '' : `mode ${present.mode.toString(8)} -> ${file.mode.toString(8)}`;
    const diff = [modeDiff, sameText ? '' : unifiedDiff(present.content.toString('utf8'), file.content, mask)]
      .filter((part) => part !== '')
      .join('\n');
    const isEdited = !sameText && manifest[file.path] !== before && file.merged !== true;
    changes.push({
      file,
      target,
      change: diff === '' ? 'same' : isEdited ? 'edited' : 'changed',
      diff,
      before,
    });
  }
  return changes;
}

/**
 * The path to write. A link is followed only within its directory: others could have been planted to overwrite another file.
 */
async function resolveTarget(path: string): Promise<string> {
  const stats = await statsOf(path);
  if (stats === null || !stats.isSymbolicLink()) return path;
  try {
    const [target, directory] = await Promise.all([realpath(path), realpath(dirname(path))]);
    if (!relative(directory, target).startsWith('..')) return target;
  } catch {
    // broken link
  }
  throw new DsaSlurmError('files', `${path} is a link to a file outside its directory.`, {
    next: 'Remove the link, or choose another path.',
  });
}

/** Reads an existing file; null if there is none. */
export async function readPresent(path: string): Promise<{ content: Buffer; mode: number } | null> {
  const stats = await statsOf(path);
  if (stats === null) return null;
  if (!stats.isFile()) {
    throw new DsaSlurmError('files', `${path} exists and is not a file.`, {
      next: 'Move it away, or choose another path.',
    });
  }
  if (stats.size > maxBytes) {
    throw new DsaSlurmError('files', `${path} is larger than 4 MiB, so it was not written by init.`, {
      next: 'Move it away, or choose another path.',
    });
  }
  try {
    // O_NOFOLLOW, in case it was replaced with a link since lstat
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return { content: await handle.readFile(), mode: stats.mode & 0o7777 };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new DsaSlurmError('files', `${path} cannot be read: ${errorLine(cause)}.`, {
      next: 'Make it readable for you, or move it away.',
      cause,
    });
  }
}

async function statsOf(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return null;
    throw new DsaSlurmError('files', `${path} cannot be accessed: ${errorLine(cause)}.`, {
      next: 'Choose a path that you can read and write.',
      cause,
    });
  }
}
