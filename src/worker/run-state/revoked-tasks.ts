import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { DsaSlurmError, coerceError, systemCode } from '../../base/errors.js';
import { replaceFile } from '../../base/replace-file.js';
import { isTaskId } from '../../celery/messages/task.js';

/**
 * Task ids that were revoked, in `revoked.txt` of the state directory, one a line, the oldest first. Girder's revoke is a
 * broadcast that is stored nowhere (contract, section f), and its task may come long after it: after a restart of this worker too.
 */
export interface RevokedTasks {
  has(id: string): boolean;
  /** The oldest first. */
  ids(): string[];
  /**
   * Remembers ids; resolves when they are on the disk. They are known at once, also if the disk refuses them. What can be no
   * task id here is left out.
   * @throws DsaSlurmError `files`
   */
  add(ids: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Ids that are remembered, as many as Celery remembers; the oldest is forgotten first. None is forgotten for its age:
 * RabbitMQ keeps a task for ever, so the one that was revoked may still come after any time.
 */
const revokedKept = 50_000;

/** Reads what was revoked. The caller holds the lock on `directory`, which exists. */
export async function openRevokedTasks(directory: string, kept = revokedKept): Promise<RevokedTasks> {
  const path = join(directory, 'revoked.txt');
  const known = new Set<string>();
  remember(await readIds(path));
  let file = await rewrite();
  let lines = known.size;
  let closed = false;
  // everything that touches the file takes its turn on this chain
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

  /** Replaces the file with the ids that are known, and opens it for appending. */
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
    // begins a line of its own, whatever a full disk left of the one before
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
          next: 'Free space in the state directory: until then a restart forgets what was revoked.',
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

/** What follows the last newline was being written when the worker died. */
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
      next: 'It holds the tasks that were canceled: make it readable for this user.',
      cause: error,
    });
  }
}
