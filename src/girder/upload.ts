import { constants } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { DsaSlurmError, systemCode } from '../base/errors.js';
import { lstat, open, readdir, realpath, type SharedFile } from '../base/shared-files.js';
import type { UploadOptions } from './analysis.js';
import { segment } from './api-url.js';
import { backoff } from './backoff.js';
import type { GirderClient, GirderRequest } from './client.js';
import { fileDocument, namedDocument, uploadDocument } from './documents.js';
import { listAll, shown, sizeWords, type TransferContext } from './download.js';
import { GirderError } from './girder-error.js';
import { mimeTypeOf } from './mime-type.js';

/** Girder's own client sends pieces of this size; smaller ones than 32 MiB may be refused by an object store. */
const chunkBytes = 64 * 1024 * 1024;
/** The last piece of a large file makes Girder hash and move all of it. */
const chunkAnswerMs = 15 * 60_000;
const barrenAttempts = 6;
/** Questions whether Girder has completed an upload by itself; about five minutes. */
const completing = 10;
const pieceBytes = 256 * 1024;

/** A file of an output, opened: whatever happens to its name now, this is what is uploaded. */
interface OpenFile {
  handle: SharedFile;
  name: string;
  size: number;
}

/** What is found where an output should be. */
export type Found =
  | { kind: 'file'; real: string }
  | { kind: 'directory'; real: string }
  | { kind: 'nothing' }
  /** Outside of `root` by way of a symbolic link, or neither file nor directory. */
  | { kind: 'refused'; reason: string };

/**
 * What `relative` is below `root`, seen through symbolic links: a container may have made any, and this process may read
 * what the container's user must not.
 */
export async function findOutput(root: string, relative: string): Promise<Found> {
  let real: string;
  try {
    real = await realpath(path.join(root, relative));
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'nothing' };
    return { kind: 'refused', reason: `it cannot be read (${code ?? 'unknown'})` };
  }
  const fromRoot = path.relative(await realpath(root), real);
  if (fromRoot === '..' || fromRoot.startsWith('../')) {
    return { kind: 'refused', reason: 'it is a symbolic link that leads out of the directory of the run' };
  }
  const stats = await lstat(real);
  if (stats.isDirectory()) return { kind: 'directory', real };
  if (stats.isFile()) return { kind: 'file', real };
  return { kind: 'refused', reason: 'it is neither a file nor a directory' };
}

/** Uploads one file into a folder. A name that exists there gives a second item, as Girder decides. */
export async function uploadFileToFolder(
  context: TransferContext,
  real: string,
  folderId: string,
  upload: UploadOptions,
): Promise<void> {
  await withFile(context, real, upload, async (file) =>
    create(context, file, { parentType: 'folder', parentId: folderId }, upload),
  );
}

/**
 * Uploads one file into an item. A file of the same name is replaced, even one of the same size: unlike the Python
 * worker, which keeps the old content then.
 */
export async function uploadFileToItem(
  context: TransferContext,
  real: string,
  itemId: string,
  upload: UploadOptions,
): Promise<void> {
  await withFile(context, real, upload, async (file) => {
    const { client, signal } = context;
    for await (const other of listAll(client, fileDocument, `item/${segment(itemId)}/files`, {}, signal)) {
      if (other.name === file.name) return replace(context, file, other.id, upload);
    }
    return create(context, file, { parentType: 'item', parentId: itemId }, upload);
  });
}

/** Uploads one file to a Girder job, where a plugin of Girder offers that. */
export async function uploadArtifact(
  context: TransferContext,
  real: string,
  jobId: string,
  name: string | null,
): Promise<void> {
  await withFile(context, real, name === null ? {} : { filename: name }, async (file) => {
    await context.client.json(z.unknown(), {
      method: 'POST',
      path: `job/${segment(jobId)}/artifact`,
      query: { name: file.name, size: file.size, mimeType: mimeTypeOf(file.name) },
      body: bodyOf(file, 0, file.size),
      answerMs: chunkAnswerMs,
      signal: context.signal,
    });
  });
}

export interface TreeEntry {
  kind: 'file' | 'directory';
  /** As the directory calls it. */
  name: string;
  real: string;
}

/**
 * What is in a directory of an output, by name. Links to directories are left out, and so is whatever {@link findOutput}
 * does not find fit; `skipped` is told of those.
 */
export async function listOutput(
  root: string,
  relative: string,
  skipped: (name: string, reason: string) => void,
): Promise<TreeEntry[]> {
  let listed;
  try {
    listed = await readdir(path.join(root, relative));
  } catch (error) {
    throw unreadable(path.basename(relative), error);
  }
  const entries: TreeEntry[] = [];
  for (const entry of listed) {
    const found = await findOutput(root, path.join(relative, entry.name));
    if (found.kind === 'nothing') {
      skipped(entry.name, 'it is a link to nothing, or its name is not valid UTF-8');
    } else if (found.kind === 'refused') {
      skipped(entry.name, found.reason);
    } else if (found.kind === 'directory' && entry.isSymbolicLink()) {
      skipped(entry.name, 'it is a link to a directory');
    } else {
      entries.push({ kind: found.kind, name: entry.name, real: found.real });
    }
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The folder `name` below another: the one that exists, or a new one. */
export async function ensureFolder(
  context: TransferContext,
  parentId: string,
  name: string,
): Promise<string> {
  const folder = await context.client.json(namedDocument, {
    method: 'POST',
    path: 'folder',
    query: { parentId, parentType: 'folder', name, description: '', reuseExisting: 'True' },
    signal: context.signal,
  });
  return folder.id;
}

/** O_NONBLOCK so that a FIFO does not hold us up, O_NOFOLLOW because `real` was resolved before. */
async function withFile(
  context: TransferContext,
  real: string,
  upload: UploadOptions,
  use: (file: OpenFile) => Promise<void>,
): Promise<void> {
  const name = upload.filename ?? path.basename(real);
  let handle: SharedFile;
  try {
    handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(name, error);
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw unreadable(name);
    context.onProgress?.(`Uploading “${shown(name)}”${sizeWords(stats.size)}.`);
    await use({ handle, name, size: stats.size });
  } finally {
    await handle.close();
  }
}

function unreadable(name: string, cause?: unknown): DsaSlurmError {
  const why = systemCode(cause) ?? 'it is no plain file';
  return new DsaSlurmError('files', `The output “${shown(name)}” cannot be read (${why}).`, { cause });
}

/**
 * `POST file` begins an upload, of which nobody sees anything until its last piece has come: one whose answer is lost may
 * be begun again without harm. Python sends a small file along with it, and after a lost answer Girder has it twice. Only
 * an empty file is made at once, and may still be there twice then.
 */
async function create(
  context: TransferContext,
  file: OpenFile,
  parent: { parentType: 'folder' | 'item'; parentId: string },
  upload: UploadOptions,
): Promise<void> {
  const begun = await context.client.json(uploadDocument, {
    method: 'POST',
    path: 'file',
    query: {
      ...parent,
      name: file.name,
      size: file.size,
      mimeType: upload.mimeType ?? mimeTypeOf(file.name),
      reference: upload.reference,
    },
    signal: context.signal,
  });
  if (file.size > 0) await sendChunks(context, file, begun.id);
}

async function replace(
  context: TransferContext,
  file: OpenFile,
  fileId: string,
  upload: UploadOptions,
): Promise<void> {
  const begun = await context.client.json(uploadDocument, {
    method: 'PUT',
    path: `file/${segment(fileId)}/contents`,
    query: { size: file.size, reference: upload.reference },
    signal: context.signal,
  });
  if (file.size > 0) await sendChunks(context, file, begun.id);
}

/** Sends the content piece by piece. After a broken piece Girder says from where it wants to go on. */
async function sendChunks(context: TransferContext, file: OpenFile, uploadId: string): Promise<void> {
  const { client, clock, signal } = context;
  let offset = 0;
  let barren = 0;
  for (;;) {
    const length = Math.min(chunkBytes, file.size - offset);
    try {
      await client.json(uploadDocument, {
        method: 'POST',
        path: 'file/chunk',
        query: { offset, uploadId },
        body: bodyOf(file, offset, length),
        attempts: 1,
        answerMs: chunkAnswerMs,
        signal,
      });
      offset += length;
      if (offset === file.size) return;
      barren = 0;
    } catch (error) {
      barren += 1;
      if (!(error instanceof GirderError) || !error.transient || barren >= barrenAttempts) throw error;
      await clock.sleep(backoff(barren, error.retryAfter), signal);
      const reached = await askOffset(client, uploadId, signal);
      // only an upload whose last piece was sent can have been completed
      if (reached === 'unknown' && offset + length === file.size) return;
      if (reached === 'unknown') throw error;
      if (reached >= file.size) return complete(context, uploadId);
      if (reached > offset) barren = 0;
      offset = reached;
    }
  }
}

/** How far an upload got. Girder forgets it when it is complete. */
async function askOffset(
  client: GirderClient,
  uploadId: string,
  signal: AbortSignal,
): Promise<number | 'unknown'> {
  try {
    const answer = await client.json(z.object({ offset: z.number() }), {
      method: 'GET',
      path: 'file/offset',
      query: { uploadId },
      signal,
    });
    return answer.offset;
  } catch (error) {
    if (error instanceof GirderError && error.trouble === 'missing') return 'unknown';
    throw error;
  }
}

/**
 * Sees an upload to its end of which Girder has every byte, and which it still knows: it may be at work on it (it hashes
 * and moves the file), or have failed at that. It is given time, because completing it twice would make two files.
 */
async function complete({ client, clock, signal }: TransferContext, uploadId: string): Promise<void> {
  for (let asked = 1; asked <= completing; asked += 1) {
    await clock.sleep(backoff(asked), signal);
    if ((await askOffset(client, uploadId, signal)) === 'unknown') return;
  }
  await client.json(uploadDocument, {
    method: 'POST',
    path: 'file/completion',
    form: { uploadId },
    attempts: 1,
    answerMs: chunkAnswerMs,
    signal,
  });
}

function bodyOf(
  { handle, name }: OpenFile,
  start: number,
  length: number,
): NonNullable<GirderRequest['body']> {
  return { length, open: () => Readable.from(readRange(handle, name, start, length), { objectMode: false }) };
}

/** Not the handle's own stream: that closes the handle when a connection breaks, and the next attempt needs it. */
async function* readRange(
  handle: SharedFile,
  name: string,
  start: number,
  length: number,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < length;) {
    const size = Math.min(pieceBytes, length - done);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(size), 0, size, start + done);
    if (bytesRead === 0) throw unreadable(name, new Error('it became shorter'));
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}
