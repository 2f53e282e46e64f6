import { Readable } from 'node:stream';
import { z } from 'zod';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import type { SharedFile } from '../../base/network-fs.js';
import type { UploadOptions } from '../protocol/analysis.js';
import { segment } from '../api/api-url.js';
import { backoffDelay } from '../../base/backoff.js';
import type { GirderClient, GirderRequest } from '../api/client.js';
import { fileDocument, namedDocument, uploadDocument, type NamedDocument } from '../api/documents.js';
import { displayName, type TransferContext } from './download.js';
import { GirderError } from '../api/girder-error.js';
import { mimeTypeOf } from './mime-type.js';

/** Girder's own client sends pieces of this size; smaller ones than 32 MiB may be refused by an object store. */
const chunkBytes = 64 * 1024 * 1024;
/** The last piece of a large file makes Girder hash and move all of it. */
const chunkAnswerMs = 15 * 60_000;
/** Questions whether Girder has completed an upload by itself; about five minutes. */
const completing = 10;
const pieceBytes = 256 * 1024;

/** A file of an output, opened: whatever happens to its name now, this is what is uploaded. */
export interface OpenFile {
  handle: SharedFile;
  name: string;
  size: number;
}

/** What is known of the upload of an output that an earlier attempt has begun. Plain data, because it is journaled. */
export type PendingUpload =
  /** Girder's id of it. */
  | { upload: string }
  /** An empty file needs no upload: the newest item that the folder had before; null for none. */
  | { newest: string | null };

/** What survives a worker that dies between Girder's answer and the word of it on the disk. */
export interface UploadRecord {
  begun: PendingUpload | null;
  /** Writes one down; awaited before anything becomes visible in Girder. */
  begin: (upload: PendingUpload) => Promise<void>;
}

export const noRecord: UploadRecord = { begun: null, begin: async () => undefined };

/**
 * Makes a file in a folder: once, however often this is begun again. `POST file` begins an upload, of which nobody sees
 * anything until its last piece has come, and then Girder forgets it: so whoever comes later can ask by the id how far it
 * got. (Python sends a small file along with it, and after a lost answer Girder has it twice.)
 */
export async function createInFolder(
  context: TransferContext,
  file: OpenFile,
  folderId: string,
  upload: UploadOptions,
  memory: UploadRecord,
): Promise<void> {
  const parent = { parentType: 'folder', parentId: folderId } as const;
  const { begun } = memory;
  if (file.size === 0) {
    let before = begun !== null && 'newest' in begun ? begun : null;
    const isThere = async (): Promise<boolean> =>
      before !== null && hasFile(context, folderId, file, before.newest);
    if (await isThere()) return;
    if (before === null) {
      before = { newest: (await newestItems(context, folderId, 0, 1))[0]?.id ?? null };
      await memory.begin(before);
    }
    return createEmpty(context, file, parent, upload, isThere);
  }
  if (begun !== null && 'upload' in begun) {
    const reached = await askOffset(context.client, begun.upload, context.signal);
    if (reached !== 'unknown') return sendChunks(context, file, begun.upload, reached);
    // complete, or thrown away by an administrator
    if (await hasFile(context, folderId, file, null)) return;
  }
  const { id } = await beginUpload(context, file, parent, upload);
  await memory.begin({ upload: id });
  await sendChunks(context, file, id);
}

/** Makes a file in an item that has none of that name. */
export async function createInItem(
  context: TransferContext,
  file: OpenFile,
  itemId: string,
  upload: UploadOptions,
): Promise<void> {
  const parent = { parentType: 'item', parentId: itemId } as const;
  if (file.size === 0) {
    const isThere = async (): Promise<boolean> => holdsFile(context, itemId, file);
    return createEmpty(context, file, parent, upload, isThere);
  }
  const { id } = await beginUpload(context, file, parent, upload);
  await sendChunks(context, file, id);
}

interface Parent {
  parentType: 'folder' | 'item';
  parentId: string;
}

async function beginUpload(
  { client, signal }: TransferContext,
  file: OpenFile,
  parent: Parent,
  upload: UploadOptions,
  more: Pick<GirderRequest, 'attempts'> = {},
): Promise<{ id: string }> {
  return client.json(uploadDocument, {
    method: 'POST',
    path: 'file',
    query: {
      ...parent,
      name: file.name,
      size: file.size,
      mimeType: upload.mimeType ?? mimeTypeOf(file.name),
      reference: upload.reference,
    },
    ...more,
    signal,
  });
}

/** An empty file is made at once. After an answer that was lost, Girder is asked whether it is there. */
async function createEmpty(
  context: TransferContext,
  file: OpenFile,
  parent: Parent,
  upload: UploadOptions,
  isThere: () => Promise<boolean>,
): Promise<void> {
  const retries = context.client.retries(context.signal);
  for (;;) {
    try {
      await beginUpload(context, file, parent, upload, { attempts: 1 });
      return retries.reset();
    } catch (error) {
      await retries.wait(error);
      if (await isThere()) return retries.reset();
    }
  }
}

/** Items at one time, and at most, that are looked through for one that we have made. */
const itemsAtOnce = 50;
const mostItems = 500;

/** Whether a folder has this file, in an item that is younger than the item `newest`; null: in any of the youngest. */
async function hasFile(
  context: TransferContext,
  folderId: string,
  file: OpenFile,
  newest: string | null,
): Promise<boolean> {
  for (let offset = 0; offset < mostItems; offset += itemsAtOnce) {
    const items = await newestItems(context, folderId, offset, itemsAtOnce);
    for (const { id, name } of items) {
      if (id === newest) return false;
      // Girder calls a second item of that name `name (1)`
      const isNamedSo = name === file.name || name.startsWith(`${file.name} (`);
      if (isNamedSo && (await holdsFile(context, id, file))) return true;
    }
    if (items.length < itemsAtOnce) return false;
  }
  return false;
}

async function newestItems(
  { client, signal }: TransferContext,
  folderId: string,
  offset: number,
  limit: number,
): Promise<NamedDocument[]> {
  return client.json(z.array(namedDocument), {
    method: 'GET',
    path: 'item',
    query: { folderId, sort: 'created', sortdir: -1, limit, offset },
    signal,
  });
}

async function holdsFile(
  { client, signal }: TransferContext,
  itemId: string,
  { name, size }: OpenFile,
): Promise<boolean> {
  const files = await client.json(z.array(fileDocument), {
    method: 'GET',
    path: `item/${segment(itemId)}/files`,
    query: { limit: itemsAtOnce },
    signal,
  });
  return files.some((file) => file.name === name && file.size === size);
}

/** Puts new content into a file that is there. Done twice it is the same. */
export async function replaceFile(
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

/** Sends the content from `offset` on, piece by piece. After a broken piece Girder says from where it wants to go on. */
async function sendChunks(
  context: TransferContext,
  file: OpenFile,
  uploadId: string,
  from = 0,
): Promise<void> {
  const { client, signal } = context;
  let offset = from;
  if (offset >= file.size) return complete(context, uploadId);
  const retries = client.retries(signal);
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
      retries.reset();
      if (offset === file.size) return;
    } catch (error) {
      await retries.wait(error);
      const reached = await askOffset(client, uploadId, signal);
      // only an upload whose last piece was sent can have been completed
      if (reached === 'unknown' && offset + length === file.size) return;
      if (reached === 'unknown') throw error;
      if (reached >= file.size) return complete(context, uploadId);
      if (reached > offset) retries.reset();
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
    if (error instanceof GirderError && error.kind === 'missing') return 'unknown';
    throw error;
  }
}

/**
 * Sees an upload to its end of which Girder has every byte, and which it still knows: it may be at work on it (it hashes
 * and moves the file), or have failed at that. It is given time, because completing it twice would make two files.
 */
async function complete({ client, clock, signal }: TransferContext, uploadId: string): Promise<void> {
  const retries = client.retries(signal);
  for (;;) {
    for (let asked = 1; asked <= completing; asked += 1) {
      await clock.sleep(backoffDelay(asked - 1, { initialMs: 1_000, maxMs: 60_000 }), signal);
      if ((await askOffset(client, uploadId, signal)) === 'unknown') return retries.reset();
    }
    try {
      await client.json(uploadDocument, {
        method: 'POST',
        path: 'file/completion',
        form: { uploadId },
        attempts: 1,
        answerMs: chunkAnswerMs,
        signal,
      });
      return retries.reset();
    } catch (error) {
      await retries.wait(error);
    }
  }
}

/** A piece of a file as the body of a request. */
export function bodyOf(
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
    if (bytesRead === 0) throw unreadableOutput(name, new Error('it became shorter'));
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

/** Why a file cannot be uploaded. */
export function unreadableOutput(name: string, cause?: unknown): DsaSlurmError {
  const why = systemCode(cause) ?? 'it is no plain file';
  return new DsaSlurmError('files', `The output “${displayName(name)}” cannot be read (${why}).`, { cause });
}
