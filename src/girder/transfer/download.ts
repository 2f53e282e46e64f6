import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../base/clock.js';
import { coerceError, DsaSlurmError, systemCode } from '../../base/errors.js';
import { chmod, mkdir, open, rename, rm, type SharedFile } from '../../base/files/network-fs.js';
import { segment } from '../api/api-url.js';
import type { GirderClient } from '../api/client.js';
import { fileDocument, namedDocument, type FileDocument, type NamedDocument } from '../api/documents.js';
import { safeName, uniqueName } from './file-names.js';
import { createWriteBehind } from './write-behind.js';
import {
  abortedError,
  connectionError,
  GirderError,
  type RequestSummary,
  type GirderErrorKind,
} from '../api/girder-error.js';

export interface TransferContext {
  client: GirderClient;
  clock: Clock;
  signal: AbortSignal;
  /** Receives a sentence before each file. */
  onProgress?: ((text: string) => void) | undefined;
  /** Called after each file, to count them. */
  onFileDone?: ((bytes: number) => void) | undefined;
}

/**
 * Moves many files as one thing, with two lines in the log however many they are. Part of a larger thing, it says nothing.
 * @param what for people: `the folder “slides”`
 */
export async function transferGroup(
  context: TransferContext,
  [doing, done]: ['Fetching', 'Fetched'] | ['Uploading', 'Uploaded'],
  what: string,
  move: (context: TransferContext) => Promise<void>,
): Promise<void> {
  if (context.onFileDone !== undefined) return move(context);
  let files = 0;
  let size = 0;
  const onMoved = (bytes: number): void => {
    files += 1;
    size += bytes;
  };
  context.onProgress?.(`${doing} ${what}.`);
  await move({ ...context, onProgress: undefined, onFileDone: onMoved });
  const count = files === 1 ? '1 file' : `${files.toLocaleString('en-US')} files`;
  context.onProgress?.(`${done} ${what}: ${count}${sizeSuffix(size)}.`);
}

/** Page size of Girder's own client. */
const pageSize = 50;
const maxDepth = 64;
/** A download slower than `bytes` per `ms` milliseconds counts as stalled, even if the connection is not silent. */
const minSpeed = { bytes: 64 * 1024, ms: 5 * 60_000 };
const fetchingVerbs = ['Fetching', 'Fetched'] satisfies ['Fetching', 'Fetched'];

export async function getFile(
  client: GirderClient,
  fileId: string,
  signal: AbortSignal,
): Promise<FileDocument> {
  return client.json(fileDocument, { method: 'GET', path: `file/${segment(fileId)}`, signal });
}

export async function getNamed(
  client: GirderClient,
  kind: 'item' | 'folder',
  id: string,
  signal: AbortSignal,
): Promise<NamedDocument> {
  return client.json(namedDocument, { method: 'GET', path: `${kind}/${segment(id)}`, signal });
}

/** All documents of a listing, fetched page by page. */
export async function* listAll<T>(
  client: GirderClient,
  schema: z.ZodType<T>,
  from: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  for (let offset = 0; ; offset += pageSize) {
    const page = await client.json(z.array(schema), {
      method: 'GET',
      path: from,
      query: { limit: pageSize, offset, ...query },
      signal,
    });
    yield* page;
    if (page.length < pageSize) return;
  }
}

/**
 * Downloads a file to `target`, whose directory must exist and belong to the run, in constant memory. After a broken connection
 * the download resumes with a `Range` request if the server supports it. A link file is fetched through Girder's redirect. The
 * size is compared with that in Girder.
 */
export async function downloadFile(
  context: TransferContext,
  file: FileDocument,
  target: string,
): Promise<void> {
  const { client, clock, signal } = context;
  context.onProgress?.(`Fetching “${displayName(file.name)}”${sizeSuffix(file.size)}.`);
  const part = path.join(path.dirname(target), `.${randomUUID()}.part`);
  const handle = await withDiskErrors(target, open(part, 'wx', 0o600));
  try {
    let received = 0;
    const retries = client.retries(signal);
    for (;;) {
      const before = received;
      try {
        received = await fetchRest({ client, clock, signal, file, handle, target, received });
        break;
      } catch (thrown) {
        if (!(thrown instanceof Interrupted)) throw thrown;
        received = thrown.received;
        // a trickle does not count as progress: it must not keep a run waiting after its token has expired
        if (received - before >= minSpeed.bytes) retries.reset();
        await retries.wait(thrown.reason);
      }
    }
    retries.reset();
    await withDiskErrors(target, handle.chmod(0o644));
    await withDiskErrors(target, rename(part, target));
    context.onFileDone?.(received);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** A transfer that stopped after `received` bytes. */
class Interrupted extends Error {
  readonly reason: GirderError;
  readonly received: number;
  constructor(reason: GirderError, received: number) {
    super(reason.message);
    this.reason = reason;
    this.received = received;
  }
}

interface Rest {
  client: GirderClient;
  clock: Clock;
  signal: AbortSignal;
  file: FileDocument;
  handle: SharedFile;
  target: string;
  received: number;
}

async function fetchRest({ client, clock, signal, file, handle, target, received }: Rest): Promise<number> {
  const where = `file/${segment(file.id)}/download`;
  const summary: RequestSummary = { method: 'GET', path: where, origin: new URL(client.apiUrl).origin };
  if (signal.aborted) throw abortedError(summary);
  if (received > 0 && received === file.size) return received;
  let at = received;
  let answer;
  try {
    answer = await client.open({
      method: 'GET',
      path: where,
      ...(received > 0 ? { headers: { range: `bytes=${received}-` } } : {}),
      signal,
    });
  } catch (error) {
    if (error instanceof GirderError && error.status === 416) {
      throw new Interrupted(connectionError(summary, new Error('no more data')), 0);
    }
    throw error instanceof GirderError ? new Interrupted(error, received) : error;
  }
  if (contentRangeStart(answer.headers['content-range']) !== received) at = 0;
  const announced = contentLength(answer.headers['content-length']);
  // an error page of a proxy must not become the beginning of the file
  if (file.size !== null && announced !== null && announced !== file.size - at) {
    answer.body.destroy();
    throw new Interrupted(wrongSize(file, at + announced, 'not-girder'), received);
  }
  if (at !== received || received === 0) await withDiskErrors(target, handle.truncate(0));
  const chunks = (answer.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const behind = createWriteBehind(async (piece, position) => writeAll(handle, piece, position), at);
  /** Everything that `at` counts must be in the file before a transfer ends or is resumed. */
  const written = async (): Promise<void> => {
    try {
      await withDiskErrors(target, behind.end());
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
  };
  let window = { from: at, since: clock.monotonic() };
  for (;;) {
    let next;
    try {
      next = await chunks.next();
    } catch (error) {
      await written();
      throw new Interrupted(signal.aborted ? abortedError(summary) : connectionError(summary, error), at);
    }
    if (next.done === true) break;
    at += next.value.length;
    try {
      await withDiskErrors(target, behind.add(next.value));
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
    if (clock.monotonic() - window.since >= minSpeed.ms) {
      const moved = at - window.from;
      if (moved < minSpeed.bytes && at !== file.size) {
        answer.body.destroy();
        await written();
        const why = new Error(
          `only ${moved} bytes of “${displayName(file.name)}” in ${minSpeed.ms / 60_000} min`,
        );
        throw new Interrupted(connectionError(summary, why), at);
      }
      window = { from: at, since: clock.monotonic() };
    }
    if (file.size !== null && at > file.size) {
      answer.body.destroy();
      break;
    }
  }
  await written();
  if (file.size === null || at === file.size) return at;
  // without a Content-Length the bytes may not belong to the file
  const canResume = at < file.size && announced !== null;
  throw new Interrupted(wrongSize(file, at, 'unreachable'), canResume ? at : 0);
}

function wrongSize({ name, size }: FileDocument, sent: number, kind: GirderErrorKind): GirderError {
  const message = `Girder sent ${sent} bytes of “${displayName(name)}” instead of ${size}.`;
  return new GirderError(message, { kind });
}

async function writeAll(handle: SharedFile, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

function contentLength(header: string | string[] | undefined): number | null {
  return typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : null;
}

function contentRangeStart(header: string | string[] | undefined): number {
  const start = typeof header === 'string' ? /^bytes (\d+)-/.exec(header)?.[1] : undefined;
  return start === undefined ? -1 : Number(start);
}

/**
 * Downloads an item into `directory`: as a file if its only file has the name of the item, else as a directory with all files.
 * @returns the path of the file or directory
 */
export async function downloadItem(
  context: TransferContext,
  item: NamedDocument,
  directory: string,
  taken: Set<string> = new Set(),
): Promise<string> {
  const { client, signal } = context;
  const listing = listAll(client, fileDocument, `item/${segment(item.id)}/files`, {}, signal);
  const first = await listing.next();
  const second = first.done === true ? first : await listing.next();
  const target = path.join(directory, uniqueName(taken, item.name));
  if (first.done !== true && second.done === true && first.value.name === item.name) {
    await downloadFile(context, first.value, target);
    return target;
  }
  await makeDirectory(target);
  const names = new Set<string>();
  await transferGroup(context, fetchingVerbs, `the item “${displayName(item.name)}”`, async (counted) => {
    const fetchInto = async (file: FileDocument): Promise<void> =>
      downloadFile(counted, file, path.join(target, uniqueName(names, file.name)));
    if (first.done !== true) await fetchInto(first.value);
    if (second.done !== true) await fetchInto(second.value);
    for await (const file of listing) await fetchInto(file);
  });
  return target;
}

/** Downloads a folder recursively to `directory`/<name>. @returns that path */
export async function downloadFolder(
  context: TransferContext,
  folder: NamedDocument,
  directory: string,
): Promise<string> {
  const target = path.join(directory, safeName(folder.name));
  await transferGroup(context, fetchingVerbs, `the folder “${displayName(folder.name)}”`, async (counted) =>
    downloadTree(counted, folder.id, target, 1),
  );
  return target;
}

async function downloadTree(
  context: TransferContext,
  folderId: string,
  target: string,
  depth: number,
): Promise<void> {
  if (depth > maxDepth) {
    throw new DsaSlurmError('girder', `An input folder has more than ${maxDepth} levels of subfolders.`);
  }
  const { client, signal } = context;
  await makeDirectory(target);
  const taken = new Set<string>();
  const below = { parentType: 'folder', parentId: folderId };
  for await (const child of listAll(client, namedDocument, 'folder', below, signal)) {
    await downloadTree(context, child.id, path.join(target, uniqueName(taken, child.name)), depth + 1);
  }
  for await (const item of listAll(client, namedDocument, 'item', { folderId }, signal)) {
    await downloadItem(context, item, target, taken);
  }
}

/** 0777, as in the Python worker: the parent directory is closed to others anyway. */
async function makeDirectory(directory: string): Promise<void> {
  await withDiskErrors(directory, mkdir(directory));
  await withDiskErrors(directory, chmod(directory, 0o777));
}

/** Converts errors of the local file system to a readable DsaSlurmError `files`. */
export async function withDiskErrors<T>(target: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = systemCode(error);
    const where = path.dirname(target);
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new DsaSlurmError('files', `No space left in ${where}.`, {
        next: 'Free some space there, or choose another directory for temporary files.',
        cause: error,
      });
    }
    throw new DsaSlurmError(
      'files',
      `${path.basename(target)} could not be written to ${where} (${code ?? coerceError(error).message}).`,
      { cause: error },
    );
  }
}

/** A name from Girder for use in a line of text: without control characters and at most 120 characters long. */
export function displayName(name: string): string {
  return name
    .slice(0, 120)
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, ' ');
}

export function sizeSuffix(bytes: number | null): string {
  if (bytes === null) return '';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return ` (${unit === 0 ? value : value.toFixed(1)} ${units[unit]})`;
}
