import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, stat, truncate } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileAnswer, RestError, uploadAnswer } from './answers.js';
import { addItem, newId, timestamp, type FakeStore, type StoredFile, type Upload } from './store.js';

/** POST file: starts an upload; with a body it takes the first chunk at once, and a complete one finishes it. */
export async function startUpload(
  store: FakeStore,
  query: URLSearchParams,
  body: IncomingMessage,
): Promise<object> {
  const kind = query.get('parentType');
  const id = query.get('parentId') ?? '';
  let parent: Upload['parent'] | undefined;
  if (kind === 'folder' && store.folders.has(id)) parent = { kind, id };
  if (kind === 'item' && store.items.has(id)) parent = { kind, id };
  if (parent === undefined) throw new RestError(400, 'rest', `Invalid ${kind} id (${id}).`);
  const upload = await beginUpload(store, query, parent, query.get('name') ?? '');
  return takeChunk(store, upload, body);
}

/** PUT file/:id/contents: the same for an existing file. */
export async function startReplacement(
  store: FakeStore,
  file: StoredFile,
  query: URLSearchParams,
): Promise<object> {
  const upload = await beginUpload(store, query, { kind: 'file', id: file.id }, file.name);
  return upload.size === 0 ? finish(store, upload) : uploadAnswer(upload);
}

/** POST file/chunk. The offset must equal the number of bytes received so far. */
export async function continueUpload(
  store: FakeStore,
  query: URLSearchParams,
  body: IncomingMessage,
): Promise<object> {
  const upload = findUpload(store, query);
  const offset = Number(query.get('offset') ?? '0');
  if (offset !== upload.received) {
    throw new RestError(
      400,
      'validation',
      `Server has received ${upload.received} bytes, but client sent offset ${offset}.`,
    );
  }
  return takeChunk(store, upload, body);
}

/** GET file/offset: where to resume after a lost connection. */
export function uploadOffset(store: FakeStore, query: URLSearchParams): object {
  return { offset: findUpload(store, query).received };
}

/** GET file/:id/download with `Range` or `offset`. */
export async function download(
  file: StoredFile,
  query: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = range === null ? Number(query.get('offset') ?? '0') : Number(range[1]);
  const wanted = range?.[2] ?? '';
  const last = wanted === '' ? file.size - 1 : Math.min(Number(wanted), file.size - 1);
  const headers: Record<string, string | number> = {
    'Content-Type': file.mimeType,
    'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}`,
    'Accept-Ranges': 'bytes',
    'Content-Length': Math.max(0, last - start + 1),
  };
  if (start > 0 || range !== null) headers['Content-Range'] = `bytes ${start}-${last}/${file.size}`;
  response.writeHead(range === null ? 200 : 206, headers);
  if (last < start) {
    response.end();
    return;
  }
  await pipeline(createReadStream(file.path, { start, end: last }), response);
}

async function beginUpload(
  store: FakeStore,
  query: URLSearchParams,
  parent: Upload['parent'],
  name: string,
): Promise<Upload> {
  const size = Number(query.get('size') ?? 'NaN');
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new RestError(400, 'rest', `Invalid value for parameter size: ${query.get('size')}.`);
  }
  if (name === '') throw new RestError(400, 'rest', "Parameter 'name' is required.");
  const id = newId();
  const upload: Upload = {
    id,
    parent,
    name,
    size,
    received: 0,
    mimeType: query.get('mimeType') ?? 'application/octet-stream',
    reference: query.get('reference'),
    path: join(store.dir, `upload-${id}`),
  };
  const handle = await open(upload.path, 'w');
  await handle.close();
  store.uploads.set(id, upload);
  return upload;
}

async function takeChunk(store: FakeStore, upload: Upload, body: IncomingMessage): Promise<object> {
  try {
    await pipeline(body, createWriteStream(upload.path, { flags: 'r+', start: upload.received }));
  } catch {
    // Girder discards an incomplete chunk; the client asks for the offset and sends it again.
    await truncate(upload.path, upload.received);
    throw new RestError(400, 'rest', 'The chunk ended early.');
  }
  const { size } = await stat(upload.path);
  if (size > upload.size) {
    await truncate(upload.path, upload.received);
    throw new RestError(400, 'validation', 'Received too many bytes.');
  }
  upload.received = size;
  return size < upload.size ? uploadAnswer(upload) : finish(store, upload);
}

async function finish(store: FakeStore, upload: Upload): Promise<object> {
  const { parent } = upload;
  store.uploads.delete(upload.id);
  const existing = parent.kind === 'file' ? store.files.get(parent.id) : undefined;
  const itemId =
    parent.kind === 'file'
      ? (existing?.itemId ?? '')
      : parent.kind === 'item'
        ? parent.id
        : addItem(store, parent.id, upload.name).id;
  const id = existing?.id ?? newId();
  const path = join(store.dir, id);
  await rename(upload.path, path);
  const file: StoredFile = {
    id,
    itemId,
    name: upload.name,
    size: upload.size,
    mimeType: existing?.mimeType ?? upload.mimeType,
    path,
    reference: upload.reference,
    created: timestamp(),
  };
  store.files.set(id, file);
  return fileAnswer(file);
}

function findUpload(store: FakeStore, query: URLSearchParams): Upload {
  const id = query.get('uploadId') ?? '';
  const upload = store.uploads.get(id);
  if (upload === undefined) throw new RestError(400, 'rest', `Invalid upload id (${id}).`);
  return upload;
}
