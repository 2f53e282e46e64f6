import { constants, type Stats } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { DsaSlurmError, errorLine, systemCode } from '../../base/errors.js';
import type { PlannedFile } from '../init-answers.js';
import { unifiedDiff } from './diff.js';
import { digest, readManifest } from './manifest.js';
import { createMask } from './mask.js';

/** Bytes: no file of ours comes near; a longer one is somebody else's. */
const longest = 4 * 1024 * 1024;

/** What writing a planned file would do. */
export interface Change {
  file: PlannedFile;
  /** Where it is written: `file.path`, or what that links to inside its directory. */
  target: string;
  /** `edited`: another text than init last wrote is there, or init never wrote it. */
  change: 'new' | 'changed' | 'same' | 'edited';
  /** Unified, without secrets; empty for `same`. For a new file every line is an addition. */
  diff: string;
  /** SHA-256 of what is there now; null for `new`. */
  before: string | null;
}

export interface CompareOptions {
  /** Where `apply` remembers what it wrote. */
  manifestPath: string;
  /** Values that are never shown, besides those that look like secrets. */
  secrets: readonly string[];
}

/**
 * Holds planned files against what is there, and changes nothing: this is the whole of a dry run.
 * @throws DsaSlurmError `files` for a place that cannot be read or must not be written to
 */
export async function compare(
  files: readonly PlannedFile[],
  { manifestPath, secrets }: CompareOptions,
): Promise<Change[]> {
  const manifest = await readManifest(manifestPath);
  const shown = createMask(secrets);
  const changes: Change[] = [];
  for (const file of files) {
    const target = await resolveTarget(file.path);
    const present = await readPresent(target);
    if (present === null) {
      const diff = unifiedDiff('', file.content, shown);
      changes.push({ file, target, change: 'new', diff, before: null });
      continue;
    }
    const before = digest(present.content);
    const sameText = before === digest(file.content);
    const modeDiff =
      present.mode === file.mode ? '' : `mode ${present.mode.toString(8)} -> ${file.mode.toString(8)}`;
    const diff = [
      modeDiff,
      sameText ? '' : unifiedDiff(present.content.toString('utf8'), file.content, shown),
    ]
      .filter((part) => part !== '')
      .join('\n');
    const byHand = !sameText && manifest[file.path] !== before && file.merged !== true;
    changes.push({
      file,
      target,
      change: diff === '' ? 'same' : byHand ? 'edited' : 'changed',
      diff,
      before,
    });
  }
  return changes;
}

/**
 * Where a file is really written. A link is followed as long as it stays in its directory: one that leads elsewhere could
 * have been put there to have something else overwritten.
 */
async function resolveTarget(path: string): Promise<string> {
  const stats = await statsOf(path);
  if (stats === null || !stats.isSymbolicLink()) return path;
  try {
    const [target, directory] = await Promise.all([realpath(path), realpath(dirname(path))]);
    if (!relative(directory, target).startsWith('..')) return target;
  } catch {
    // leads nowhere
  }
  throw new DsaSlurmError('files', `${path} is a link that leads out of its directory.`, {
    next: 'Remove the link, or choose another place.',
  });
}

/** What is at `path`; null if nothing is. */
export async function readPresent(path: string): Promise<{ content: Buffer; mode: number } | null> {
  const stats = await statsOf(path);
  if (stats === null) return null;
  if (!stats.isFile()) {
    throw new DsaSlurmError('files', `${path} is there and is not a file.`, {
      next: 'Move it away, or choose another place.',
    });
  }
  if (stats.size > longest) {
    throw new DsaSlurmError('files', `${path} is far too long to be a file of ours.`, {
      next: 'Move it away, or choose another place.',
    });
  }
  try {
    // O_NOFOLLOW: it was a file a moment ago
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
    throw new DsaSlurmError('files', `${path} cannot be looked at: ${errorLine(cause)}.`, {
      next: 'Choose a place that you can read and write.',
      cause,
    });
  }
}
