import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { DsaSlurmError, errorLine, systemCode } from '../../base/errors.js';
import { writeTemporary } from '../../base/replace-file.js';
import { readPresent, type Change } from './compare.js';
import { digest, manifestText, readManifest } from './manifest.js';

export interface ApplyOptions {
  manifestPath: string;
  /** Asked about each file that was changed by hand. */
  decide: (change: Change) => Promise<'overwrite' | 'keep'> | 'overwrite' | 'keep';
  /** For tests. Default: node's. */
  rename?: (from: string, to: string) => Promise<void>;
}

export interface Applied {
  written: string[];
  /** Files changed by hand that stay as they are. */
  kept: string[];
  /** Where the former text of an overwritten file is, by path. */
  backups: Record<string, string>;
}

/**
 * Writes planned files, all or none: each is written beside its place first, then all are moved into place, and a failure
 * on the way puts everything back. The former text of what is overwritten stays in `<name>.bak-<n>`.
 * @throws DsaSlurmError `files`; then the site is as it was
 */
export async function apply(plan: readonly Change[], options: ApplyOptions): Promise<Applied> {
  const { manifestPath, decide, rename = fs.rename } = options;
  const applied: Applied = { written: [], kept: [], backups: {} };
  const wanted: Change[] = [];
  for (const change of plan) {
    if (change.change === 'edited' && (await decide(change)) === 'keep') applied.kept.push(change.file.path);
    else if (change.change !== 'same') wanted.push(change);
  }

  /** What has been done so far, as what undoes it; run backwards. */
  const undo: (() => Promise<unknown>)[] = [];
  try {
    for (const change of wanted) await checkUntouched(change);
    const moves = [];
    for (const { file, target } of wanted) {
      await makeDirectory(dirname(target), (file.mode & 0o077) === 0 ? 0o700 : 0o755, undo);
      const temporary = await writeTemporary(target, file.content, file.mode);
      undo.push(() => fs.rm(temporary, { force: true }));
      moves.push({ file, target, temporary });
    }
    const manifest = { ...(await readManifest(manifestPath)) };
    for (const { file, change } of plan) {
      // what is the same was written by us once, or might as well have been
      if (change === 'same' || wanted.some((other) => other.file === file))
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
    // last: once it is in place, nothing is left that could fail
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
  throw new DsaSlurmError('files', `${file.path} has changed in the meantime.`, {
    next: 'Look at the changes again.',
  });
}

async function makeDirectory(path: string, mode: number, undo: (() => Promise<unknown>)[]): Promise<void> {
  const first = await fs.mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  undo.push(async () => {
    for (let made = path; made.startsWith(first); made = dirname(made)) await fs.rmdir(made);
  });
}

/** @returns path of a second name of what is there, which stays when the first is overwritten; null if nothing is */
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

/** Some file systems have no hard links. */
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
      : `Not everything could be put back: ${leftovers.slice(0, 5).join('; ')}.`;
  const own = cause instanceof DsaSlurmError ? cause : undefined;
  return new DsaSlurmError('files', `${own?.message ?? `Not written: ${errorLine(cause)}.`} ${rest}`, {
    next: own?.next ?? 'Check that the place is yours and has room, and try again.',
    cause,
  });
}
