import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../base/clock.js';
import { coerceError, DsaSlurmError, systemCode } from '../../base/errors.js';
import { chmod, mkdir, open, rename, rm, type SharedFile } from '../../base/network-fs.js';
import { segment } from '../api/api-url.js';
import type { GirderClient } from '../api/client.js';
import { fileDocument, namedDocument, type FileDocument, type NamedDocument } from '../api/documents.js';
import { safeName, uniqueName } from './file-names.js';
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
  /** Told in words of each file before it moves. */
  onProgress?: ((text: string) => void) | undefined;
  /** Told of each file that has moved, by whoever counts them. */
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

/** Girder's own client asks for pages of this size, and a page with fewer is the last. */
const pageSize = 50;
const deepest = 64;
/** A transfer that brings fewer bytes than `bytes` in `ms` milliseconds has stalled, even if its connection is not silent. */
const slowest = { bytes: 64 * 1024, ms: 5 * 60_000 };
const fetching = ['Fetching', 'Fetched'] satisfies ['Fetching', 'Fetched'];

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

/** Every document of a listing, page by page. */
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
 * Fetches a file to `target`, whose directory exists and is ours alone. Memory stays constant. A connection that breaks
 * is taken up where it broke (`Range`), if whoever answers can do that; a link file comes through Girder's redirect.
 * The size is checked against Girder's own.
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
    let have = 0;
    const retries = client.retries(signal);
    for (;;) {
      const before = have;
      try {
        have = await fetchRest({ client, clock, signal, file, handle, target, have });
        break;
      } catch (thrown) {
        if (!(thrown instanceof Interrupted)) throw thrown;
        have = thrown.have;
        // a trickle is no progress: it must not keep a run waiting beyond the life of its token
        if (have - before >= slowest.bytes) retries.reset();
        await retries.wait(thrown.trouble);
      }
    }
    retries.reset();
    await withDiskErrors(target, handle.chmod(0o644));
    await withDiskErrors(target, rename(part, target));
    context.onFileDone?.(have);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** A transfer that stopped after `have` bytes. */
class Interrupted extends Error {
  readonly trouble: GirderError;
  readonly have: number;
  constructor(trouble: GirderError, have: number) {
    super(trouble.message);
    this.trouble = trouble;
    this.have = have;
  }
}

interface Rest {
  client: GirderClient;
  clock: Clock;
  signal: AbortSignal;
  file: FileDocument;
  handle: SharedFile;
  target: string;
  have: number;
}

async function fetchRest({ client, clock, signal, file, handle, target, have }: Rest): Promise<number> {
  const where = `file/${segment(file.id)}/download`;
  const asked: RequestSummary = { method: 'GET', path: where, origin: new URL(client.apiUrl).origin };
  if (signal.aborted) throw abortedError(asked);
  if (have > 0 && have === file.size) return have;
  let at = have;
  let answer;
  try {
    answer = await client.open({
      method: 'GET',
      path: where,
      ...(have > 0 ? { headers: { range: `bytes=${have}-` } } : {}),
      signal,
    });
  } catch (error) {
    if (error instanceof GirderError && error.status === 416) {
      throw new Interrupted(connectionError(asked, new Error('nothing from there on')), 0);
    }
    throw error instanceof GirderError ? new Interrupted(error, have) : error;
  }
  if (contentRangeStart(answer.headers['content-range']) !== have) at = 0;
  const announced = contentLength(answer.headers['content-length']);
  // a page of a proxy must not become the beginning of the file
  if (file.size !== null && announced !== null && announced !== file.size - at) {
    answer.body.destroy();
    throw new Interrupted(wrongSize(file, at + announced, 'not-girder'), have);
  }
  if (at !== have || have === 0) await withDiskErrors(target, handle.truncate(0));
  const chunks = (answer.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  let window = { from: at, since: clock.monotonic() };
  for (;;) {
    let next;
    try {
      next = await chunks.next();
    } catch (error) {
      throw new Interrupted(signal.aborted ? abortedError(asked) : connectionError(asked, error), at);
    }
    if (next.done === true) break;
    try {
      await withDiskErrors(target, writeAll(handle, next.value, at));
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
    at += next.value.length;
    if (clock.monotonic() - window.since >= slowest.ms) {
      const moved = at - window.from;
      if (moved < slowest.bytes && at !== file.size) {
        answer.body.destroy();
        const why = new Error(
          `only ${moved} bytes of “${displayName(file.name)}” in ${slowest.ms / 60_000} min`,
        );
        throw new Interrupted(connectionError(asked, why), at);
      }
      window = { from: at, since: clock.monotonic() };
    }
    if (file.size !== null && at > file.size) {
      answer.body.destroy();
      break;
    }
  }
  if (file.size === null || at === file.size) return at;
  // without an announced length nobody knows whose bytes these are
  const isOurs = at < file.size && announced !== null;
  throw new Interrupted(wrongSize(file, at, 'unreachable'), isOurs ? at : 0);
}

function wrongSize({ name, size }: FileDocument, sent: number, trouble: GirderErrorKind): GirderError {
  const words = `Girder sent ${sent} bytes of “${displayName(name)}”, but ${size} were announced.`;
  return new GirderError(words, { kind: trouble });
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
 * Fetches an item into `directory`: its one file if that has the item's name, else a directory of the item's name with all its
 * files. Returns the path of what was made.
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
  await transferGroup(context, fetching, `the item “${displayName(item.name)}”`, async (counted) => {
    const fetchInto = async (file: FileDocument): Promise<void> =>
      downloadFile(counted, file, path.join(target, uniqueName(names, file.name)));
    if (first.done !== true) await fetchInto(first.value);
    if (second.done !== true) await fetchInto(second.value);
    for await (const file of listing) await fetchInto(file);
  });
  return target;
}

/** Fetches a folder with all that is below it, as `directory`/<its name>. Returns that path. */
export async function downloadFolder(
  context: TransferContext,
  folder: NamedDocument,
  directory: string,
): Promise<string> {
  const target = path.join(directory, safeName(folder.name));
  await transferGroup(context, fetching, `the folder “${displayName(folder.name)}”`, async (counted) =>
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
  if (depth > deepest) {
    throw new DsaSlurmError('girder', `An input folder has more than ${deepest} levels below one another.`);
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

/** 0777 as the Python worker leaves it: the directory above is closed to others anyway. */
async function makeDirectory(directory: string): Promise<void> {
  await withDiskErrors(directory, mkdir(directory));
  await withDiskErrors(directory, chmod(directory, 0o777));
}

/** Trouble on our own disk, in words. */
export async function withDiskErrors<T>(target: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = systemCode(error);
    const where = path.dirname(target);
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new DsaSlurmError('files', `No space is left in ${where}.`, {
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

/** A name from Girder in a line of text: no control characters, not at any length. */
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
