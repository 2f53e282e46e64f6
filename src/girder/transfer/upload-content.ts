import { Readable } from 'node:stream';
import { z } from 'zod';
import { DsaSlurmError, systemCode } from '../../base/errors.js';
import type { SharedFile } from '../../base/files/network-fs.js';
import type { UploadOptions } from '../protocol/analysis.js';
import { segment } from '../api/api-url.js';
import { backoffDelay } from '../../base/backoff.js';
import type { GirderClient, GirderRequest } from '../api/client.js';
import { fileDocument, namedDocument, uploadDocument, type NamedDocument } from '../api/documents.js';
import { displayName, type TransferContext } from './download.js';
import { GirderError } from '../api/girder-error.js';
import { mimeTypeOf } from './mime-type.js';

/** Chunk size of Girder's own client; object stores may reject chunks below 32 MiB. */
const chunkBytes = 64 * 1024 * 1024;
/** Response timeout for a chunk, in milliseconds: after the last one, Girder hashes and moves the whole file. */
const chunkAnswerMs = 15 * 60_000;
/** How often to check whether Girder has completed an upload; about five minutes. */
const completionChecks = 10;
const readBytes = 256 * 1024;

/** An opened output file, which is uploaded even if its path is replaced meanwhile. */
export interface OpenFile {
  handle: SharedFile;
  name: string;
  size: number;
}

/** An upload of an output that was started and may not be complete. Plain data, because it is journaled. */
export type PendingUpload =
  /** Girder's id of the upload. */
  | { upload: string }
  /** For an empty file, which needs no upload: the newest item of the folder before it was created; null if the folder was empty. */
  | { newest: string | null };

/** Journals the start of an upload, so that a crash of the worker does not lead to a second file. */
export interface UploadRecord {
  begun: PendingUpload | null;
  /** Records the start; awaited before anything becomes visible in Girder. */
  begin: (upload: PendingUpload) => Promise<void>;
}

export const noRecord: UploadRecord = { begun: null, begin: async () => undefined };

/**
 * Creates a file in a folder exactly once, even if this is repeated after a crash. `POST file` starts an upload that stays
 * invisible until its last chunk, and that Girder forgets afterwards, so its id tells how far it got. (girder_client sends
 * small files with this request, which creates them twice after a lost response.)
 */
export async function createInFolder(
  context: TransferContext,
  file: OpenFile,
  folderId: string,
  upload: UploadOptions,
  record: UploadRecord,
): Promise<void> {
  const parent = { parentType: 'folder', parentId: folderId } as const;
  const { begun } = record;
  if (file.size === 0) {
    let before = begun !== null && 'newest' in begun ? begun : null;
    const isThere = async (): Promise<boolean> =>
      before !== null && hasFile(context, folderId, file, before.newest);
    if (await isThere()) return;
    if (before === null) {
      before = { newest: (await newestItems(context, folderId, 0, 1))[0]?.id ?? null };
      await record.begin(before);
    }
    return createEmpty(context, file, parent, upload, isThere);
  }
  if (begun !== null && 'upload' in begun) {
    const received = await receivedBytes(context.client, begun.upload, context.signal);
    if (received !== 'unknown') return sendChunks(context, file, begun.upload, received);
    // completed, or deleted by an administrator
    if (await hasFile(context, folderId, file, null)) return;
  }
  const { id } = await beginUpload(context, file, parent, upload);
  await record.begin({ upload: id });
  await sendChunks(context, file, id);
}

/** Creates a file in an item that has no file of that name. */
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

/** Creates an empty file, which needs one request. After a lost response, checks whether the file exists. */
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

/** Page size and limit for searching the items of a folder for one that this worker created. */
const itemsPerPage = 50;
const maxItems = 500;

/** Whether a folder has this file in an item newer than the item `newest`; null: in any of the newest items. */
async function hasFile(
  context: TransferContext,
  folderId: string,
  file: OpenFile,
  newest: string | null,
): Promise<boolean> {
  for (let offset = 0; offset < maxItems; offset += itemsPerPage) {
    const items = await newestItems(context, folderId, offset, itemsPerPage);
    for (const { id, name } of items) {
      if (id === newest) return false;
      // Girder names a second item of that name `name (1)`
      const nameMatches = name === file.name || name.startsWith(`${file.name} (`);
      if (nameMatches && (await holdsFile(context, id, file))) return true;
    }
    if (items.length < itemsPerPage) return false;
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
    query: { limit: itemsPerPage },
    signal,
  });
  return files.some((file) => file.name === name && file.size === size);
}

/** Replaces the content of an existing file. Idempotent. */
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

/** Sends the content from an offset on, in chunks. After a failed chunk, it resumes at the offset that Girder reports. */
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
      const received = await receivedBytes(client, uploadId, signal);
      // only an upload whose last chunk was sent can be complete
      if (received === 'unknown' && offset + length === file.size) return;
      if (received === 'unknown') throw error;
      if (received >= file.size) return complete(context, uploadId);
      if (received > offset) retries.reset();
      offset = received;
    }
  }
}

/** How many bytes Girder has received. Girder forgets an upload when it is complete. */
async function receivedBytes(
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
 * Completes an upload of which Girder has received every byte. Girder may still be hashing and moving the file, or may have
 * failed at that. It gets some time first, because completionChecks an upload twice would create two files.
 */
async function complete({ client, clock, signal }: TransferContext, uploadId: string): Promise<void> {
  const retries = client.retries(signal);
  for (;;) {
    for (let check = 1; check <= completionChecks; check += 1) {
      await clock.sleep(backoffDelay(check - 1, { initialMs: 1_000, maxMs: 60_000 }), signal);
      if ((await receivedBytes(client, uploadId, signal)) === 'unknown') return retries.reset();
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

/** A range of a file as the body of a request. */
export function bodyOf(
  { handle, name }: OpenFile,
  start: number,
  length: number,
): NonNullable<GirderRequest['body']> {
  return { length, open: () => Readable.from(readRange(handle, name, start, length), { objectMode: false }) };
}

/** Unlike a stream of the handle, this keeps the handle open when a connection breaks; the next attempt needs it. */
async function* readRange(
  handle: SharedFile,
  name: string,
  start: number,
  length: number,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < length;) {
    const size = Math.min(readBytes, length - done);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(size), 0, size, start + done);
    if (bytesRead === 0) throw unreadableOutput(name, new Error('it was truncated'));
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

/** The error for an output that cannot be read. */
export function unreadableOutput(name: string, cause?: unknown): DsaSlurmError {
  const why = systemCode(cause) ?? 'it is not a regular file';
  return new DsaSlurmError('files', `The output “${displayName(name)}” cannot be read (${why}).`, { cause });
}
