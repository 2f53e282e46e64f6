import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { DsaSlurmError, errorLine, systemCode } from '../../base/errors.js';
import { writeTemporary } from '../../base/files/replace-file.js';
import { readPresent, type Change } from './compare.js';
import { digest, manifestText, readManifest } from './manifest.js';

export interface ApplyOptions {
  manifestPath: string;
  /** Called for each edited file. */
  decide: (change: Change) => Promise<'overwrite' | 'keep'> | 'overwrite' | 'keep';
  /** For tests. Default: `fs.rename`. */
  rename?: (from: string, to: string) => Promise<void>;
}

export interface Applied {
  written: string[];
  /** Edited files that were kept. */
  kept: string[];
  /** Paths of backups, by path of the overwritten file. */
  backups: Record<string, string>;
}

/**
 * Writes planned files, all or none: writes temporary files first, then renames them, and undoes everything on failure. Keeps
 * backups of overwritten files as `<name>.bak-<n>`.
 * @throws DsaSlurmError `files`; then nothing was changed
 */
export async function apply(plan: readonly Change[], options: ApplyOptions): Promise<Applied> {
  const { manifestPath, decide, rename = fs.rename } = options;
  const applied: Applied = { written: [], kept: [], backups: {} };
  const toWrite: Change[] = [];
  for (const change of plan) {
    if (change.change === 'edited' && (await decide(change)) === 'keep') applied.kept.push(change.file.path);
    else if (change.change !== 'same') toWrite.push(change);
  }

  /** Undoes the steps so far; called in reverse order. */
  const undo: (() => Promise<unknown>)[] = [];
  try {
    for (const change of toWrite) await checkUntouched(change);
    const moves = [];
    for (const { file, target } of toWrite) {
      await makeDirectory(dirname(target), (file.mode & 0o077) === 0 ? 0o700 : 0o755, undo);
      const temporary = await writeTemporary(target, file.content, file.mode);
      undo.push(() => fs.rm(temporary, { force: true }));
      moves.push({ file, target, temporary });
    }
    const manifest = { ...(await readManifest(manifestPath)) };
    for (const { file, change } of plan) {
      // unchanged files count as written by init, so that later edits are noticed
      if (change === 'same' || toWrite.some((other) => other.file === file))
        manifest[file.path] = digest(file.content);
    }
    await makeDirectory(dirname(manifestPath), 0o700, undo);
    const newManifest = await writeTemporary(manifestPath, manifestText(manifest), 0o600);
    undo.push(() => fs.rm(newManifest, { force: true }));

    for (const { file, target, temporary } of moves) {
      const backup = await keepBackup(target, undo);
      await rename(temporary, target);
      undo.push(() => (backup === null ? fs.unlink(target) : fs.rename(backup, target)));
      applied.written.push(file.path);
      if (backup !== null) applied.backups[file.path] = backup;
    }
    // last, because nothing can fail after it
    await rename(newManifest, manifestPath);
  } catch (cause) {
    const leftovers: string[] = [];
    for (const step of undo.reverse()) {
      await step().catch((thrown: unknown) => leftovers.push(errorLine(thrown)));
    }
    throw failure(cause, leftovers);
  }
  return applied;
}

async function checkUntouched({ file, target, before }: Change): Promise<void> {
  const present = await readPresent(target);
  if ((present === null ? null : digest(present.content)) === before) return;
  throw new DsaSlurmError('files', `${file.path} was changed in the meantime.`, {
    next: 'Review the changes again.',
  });
}

async function makeDirectory(path: string, mode: number, undo: (() => Promise<unknown>)[]): Promise<void> {
  const first = await fs.mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  undo.push(async () => {
    for (let made = path; made.startsWith(first); made = dirname(made)) await fs.rmdir(made);
  });
}

/** Makes a backup. @returns its path; null if the file does not exist */
async function keepBackup(target: string, undo: (() => Promise<unknown>)[]): Promise<string | null> {
  for (let n = 1; ; n += 1) {
    const backup = `${target}.bak-${n}`;
    try {
      await linkOrCopy(target, backup);
      undo.push(() => fs.rm(backup, { force: true }));
      return backup;
    } catch (thrown) {
      if (systemCode(thrown) === 'ENOENT') return null;
      if (systemCode(thrown) !== 'EEXIST') throw thrown;
    }
  }
}

/** Copies if the file system does not support hard links. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await fs.link(from, to);
  } catch (thrown) {
    if (!['EPERM', 'ENOTSUP', 'EMLINK', 'ENOSYS'].includes(systemCode(thrown) ?? '')) throw thrown;
    await fs.copyFile(from, to, fs.constants.COPYFILE_EXCL);
  }
}

function failure(cause: unknown, leftovers: readonly string[]): DsaSlurmError {
  const rest =
    leftovers.length === 0
      ? 'Nothing was changed.'
      : `Not everything could be restored: ${leftovers.slice(0, 5).join('; ')}.`;
  const own = cause instanceof DsaSlurmError ? cause : undefined;
  return new DsaSlurmError('files', `${own?.message ?? `No files written: ${errorLine(cause)}.`} ${rest}`, {
    next: own?.next ?? 'Check that you own the directory and that its file system has space, and try again.',
    cause,
  });
}
