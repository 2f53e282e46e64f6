import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { DsaSlurmError, coerceError, systemCode } from '../../base/errors.js';
import { replaceFile } from '../../base/files/replace-file.js';
import { isTaskId } from '../../celery/messages/task.js';

/**
 * Revoked task ids, in `revoked.txt` of the state directory, one per line, the oldest first. A revoke is a broadcast that no
 * queue stores (docs/contract.md, section f), and its task can arrive much later, even after a restart of this worker.
 */
export interface RevokedTasks {
  has(id: string): boolean;
  /** Oldest first. */
  ids(): string[];
  /**
   * Remembers ids immediately, even if they cannot be written; resolves when they are on disk. Invalid task ids are ignored.
   * @throws DsaSlurmError `files`
   */
  add(ids: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Maximum number of ids, as in Celery; the oldest is forgotten first. Ids do not expire, because RabbitMQ can deliver a task after
 * any time.
 */
const revokedKept = 50_000;

/** Reads the revoked ids. The caller holds the lock on `directory`, which exists. */
export async function openRevokedTasks(directory: string, kept = revokedKept): Promise<RevokedTasks> {
  const path = join(directory, 'revoked.txt');
  const known = new Set<string>();
  remember(await readIds(path));
  let file = await rewrite();
  let lines = known.size;
  let closed = false;
  // all file operations are serialized on this chain
  let turn: Promise<void> = Promise.resolve();

  function remember(ids: readonly string[]): void {
    for (const id of ids) {
      known.delete(id);
      known.add(id);
    }
    for (const id of known) {
      if (known.size <= kept) break;
      known.delete(id);
    }
  }

  /** Replaces the file with the known ids, and opens it for appending. */
  async function rewrite(): Promise<FileHandle> {
    await replaceFile(path, toLines(known));
    return open(path, 'a', 0o600);
  }

  async function write(ids: readonly string[]): Promise<void> {
    if (closed) return;
    if (lines + ids.length > 2 * kept) {
      const old = file;
      file = await rewrite();
      lines = known.size;
      await old.close();
      return;
    }
    // the newline ends an incomplete line that a full disk may have left
    await file.appendFile(`\n${toLines(ids)}`);
    await file.datasync();
    lines += ids.length;
  }

  return {
    has: (id) => known.has(id),
    ids: () => [...known],
    async add(ids) {
      const fit = ids.filter(isTaskId);
      if (fit.length === 0) return;
      remember(fit);
      const written = turn.then(async () => write(fit));
      turn = written.catch(() => undefined);
      await written.catch((error: unknown) => {
        throw new DsaSlurmError('files', `${path} cannot be written: ${coerceError(error).message}.`, {
          next: 'Free space in the state directory. Until then, a restart forgets these revokes.',
          cause: error,
        });
      });
    },
    async close() {
      await turn;
      if (closed) return;
      closed = true;
      await file.close();
    },
  };
}

function toLines(ids: Iterable<string>): string {
  return Array.from(ids, (id) => `${id}\n`).join('');
}

/** An incomplete last line is ignored: the worker died while writing it. */
async function readIds(path: string): Promise<string[]> {
  try {
    const text = await readFile(path, 'utf8');
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(isTaskId);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new DsaSlurmError('files', `${path} cannot be read: ${coerceError(error).message}.`, {
      next: 'Make it readable for this user: it has the canceled tasks.',
      cause: error,
    });
  }
}
