import { constants } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { systemCode } from '../../base/errors.js';
import { lstat, open, readdir, realpath, type SharedFile } from '../../base/files/network-fs.js';
import type { UploadOptions } from '../protocol/analysis.js';
import { segment } from '../api/api-url.js';
import { fileDocument, namedDocument } from '../api/documents.js';
import { listAll, displayName, sizeSuffix, type TransferContext } from './download.js';
import { mimeTypeOf } from './mime-type.js';
import {
  bodyOf,
  createInFolder,
  createInItem,
  noRecord,
  replaceFile,
  unreadableOutput,
  type OpenFile,
  type UploadRecord,
} from './upload-content.js';

/** Response timeout for an artifact, which is sent in one request, in milliseconds. */
const artifactAnswerMs = 15 * 60_000;

/** What exists at the path of an output. */
type FoundOutput =
  | { kind: 'file'; real: string }
  | { kind: 'directory'; real: string }
  | { kind: 'nothing' }
  /** Outside `root` through a symbolic link, or neither file nor directory. */
  | { kind: 'refused'; reason: string };

/**
 * Resolves `relative` below `root`, including symbolic links: a container can create any link, and this process may read files
 * that the container's user must not.
 */
export async function findOutput(root: string, relative: string): Promise<FoundOutput> {
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
    return { kind: 'refused', reason: 'it is a symbolic link to a path outside the directory of the run' };
  }
  const stats = await lstat(real);
  if (stats.isDirectory()) return { kind: 'directory', real };
  if (stats.isFile()) return { kind: 'file', real };
  return { kind: 'refused', reason: 'it is neither a file nor a directory' };
}

/**
 * Uploads one file into a folder. If the name exists there, Girder creates a second item. Resumes the upload of an earlier
 * attempt from `record`.
 */
export async function uploadFileToFolder(
  context: TransferContext,
  real: string,
  folderId: string,
  upload: UploadOptions,
  record: UploadRecord = noRecord,
): Promise<void> {
  await withFile(context, real, upload, async (file) =>
    createInFolder(context, file, folderId, upload, record),
  );
}

/**
 * Uploads one file into an item. A file of the same name is replaced, even if it has the same size, in which case the Python
 * worker keeps the old content.
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
      if (other.name === file.name) return replaceFile(context, file, other.id, upload);
    }
    return createInItem(context, file, itemId, upload);
  });
}

/** Uploads one file to a Girder job, if a plugin of Girder supports that. */
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
      answerMs: artifactAnswerMs,
      signal: context.signal,
    });
  });
}

interface TreeEntry {
  kind: 'file' | 'directory';
  /** Its name in the directory. */
  name: string;
  real: string;
}

/**
 * Lists a directory of an output, sorted by name. Links to directories and entries that {@link findOutput} refuses are left out
 * and passed to `skipped`.
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
    throw unreadableOutput(path.basename(relative), error);
  }
  const entries: TreeEntry[] = [];
  for (const entry of listed) {
    const found = await findOutput(root, path.join(relative, entry.name));
    if (found.kind === 'nothing') {
      skipped(entry.name, 'it is a broken link, or its name is not valid UTF-8');
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

/** The id of the subfolder `name`, which is created if it does not exist. */
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

/** O_NONBLOCK so that a FIFO does not block, O_NOFOLLOW because links in `real` are already resolved. */
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
    throw unreadableOutput(name, error);
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw unreadableOutput(name);
    context.onProgress?.(`Uploading “${displayName(name)}”${sizeSuffix(stats.size)}.`);
    await use({ handle, name, size: stats.size });
    context.onFileDone?.(stats.size);
  } finally {
    await handle.close();
  }
}
