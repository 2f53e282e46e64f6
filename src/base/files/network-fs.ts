import { execFile } from 'node:child_process';
import { constants, type Dirent, type Mode, type Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { systemCode } from '../errors.js';
import { createGate } from '../concurrency-gate.js';

/**
 * Replacements for functions of `node:fs/promises`, for shared files: those on network file systems, such as the directories
 * of inputs, outputs, logs and images. A network file system can hang: a call then returns only when its server is back,
 * possibly hours later.
 *
 * Node runs all file operations and DNS lookups in four threads, so four hanging calls would block the journal, connections
 * and all other directories. Therefore at most two calls on shared files run at one time, and the others wait. There is no
 * timeout: a run continues when its files are back.
 *
 * There is one gate per process, because the threads belong to the process.
 */
const gate = createGate(2, () => performance.now());

/** A call that takes longer counts as hanging. A large directory on a busy server takes seconds. */
const hangingAfterMs = 10_000;

const guards = new Set<() => Promise<void>>();

/**
 * Makes every write to a shared file wait for `mayWrite`, and fail if it rejects: another worker may have taken over.
 * @returns a function that removes the guard
 */
export function guardSharedFiles(mayWrite: () => Promise<void>): () => void {
  guards.add(mayWrite);
  return () => guards.delete(mayWrite);
}

/** Like `gate.pass`, for writes. */
async function write<T>(path: string, work: () => Promise<T>): Promise<T> {
  for (const mayWrite of guards) await mayWrite();
  return gate.pass(path, work);
}

/** A sentence about the shared file whose call has been hanging longest; null if none hangs. */
export function sharedFilesProblem(now = performance.now()): string | null {
  const view = gate.view();
  if (view === null || now - view.since < hangingAfterMs) return null;
  const seconds = Math.round((now - view.since) / 1_000);
  return `The file system of ${view.label} has not answered for ${seconds} s; runs that need it wait.`;
}

/** Rejects all running and waiting calls, for a worker that stops while its files hang. */
export function abandonSharedFiles(): void {
  gate.abandon(new Error('The worker stopped while its shared files did not respond.'));
}

/**
 * Waits until no call on a shared file is running. A hanging call blocks even `process.exit`.
 * @returns whether that happened within `timeoutMs`
 */
export async function waitUntilIdle(timeoutMs: number): Promise<boolean> {
  for (const deadline = performance.now() + timeoutMs; gate.view() !== null;) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

const writing = constants.O_WRONLY | constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;

/** The used part of Node's `FileHandle`. */
export interface SharedFile extends AsyncDisposable {
  stat(): Promise<Stats>;
  chmod(mode: Mode): Promise<void>;
  truncate(length: number): Promise<void>;
  read<B extends Buffer>(
    buffer: B,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number; buffer: B }>;
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }>;
  close(): Promise<void>;
}

export async function open(path: string, flags: string | number, mode?: Mode): Promise<SharedFile> {
  const isForReading = flags === 'r' || (typeof flags === 'number' && (flags & writing) === 0);
  const enter = isForReading ? gate.pass : write;
  const handle = await enter(path, async () => fs.open(path, flags, mode));
  const close = async (): Promise<void> => gate.pass(path, async () => handle.close());
  return {
    stat: async () => gate.pass(path, async () => handle.stat()),
    chmod: async (to) => write(path, async () => handle.chmod(to)),
    truncate: async (length) => write(path, async () => handle.truncate(length)),
    read: async (...args) => gate.pass(path, async () => handle.read(...args)),
    write: async (...args) => write(path, async () => handle.write(...args)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

export const access = async (path: string, mode?: number): Promise<void> =>
  gate.pass(path, async () => fs.access(path, mode));
export const chmod = async (path: string, mode: Mode): Promise<void> =>
  write(path, async () => fs.chmod(path, mode));
export const lstat = async (path: string): Promise<Stats> => gate.pass(path, async () => fs.lstat(path));
export const stat = async (path: string): Promise<Stats> => gate.pass(path, async () => fs.stat(path));
export const mkdir = async (path: string, options: { mode?: Mode } = {}): Promise<void> =>
  write(path, async () => {
    await fs.mkdir(path, options);
  });
export const readdir = async (path: string): Promise<Dirent[]> =>
  gate.pass(path, async () => fs.readdir(path, { withFileTypes: true }));
export const realpath = async (path: string): Promise<string> =>
  gate.pass(path, async () => fs.realpath(path));
export const rename = async (from: string, to: string): Promise<void> =>
  write(to, async () => fs.rename(from, to));
export const readFile = async (path: string, encoding: 'utf8'): Promise<string> =>
  gate.pass(path, async () => fs.readFile(path, encoding));
export const writeFile = async (
  path: string,
  content: string | Uint8Array,
  options: { mode?: Mode; flag?: string } = {},
): Promise<void> => write(path, async () => fs.writeFile(path, content, options));

/** PATH_MAX of Linux, with the NUL at the end. */
const longestPath = 4_096;

const run = promisify(execFile);

/** Another host may still have a file open, which NFS then keeps under another name for a moment. */
const retries = 3;
const retryMs = 100;

/**
 * Removes a file, or with `recursive` a directory and its content. Node's own `rm` would use all threads at the same time.
 *
 * A container decides what its files are called: names that are not UTF-8, and paths longer than PATH_MAX, cannot be
 * written as a path in Node. What is left because of them is removed with rm(1), which descends by file descriptor.
 */
export async function rm(
  path: string,
  options: { recursive?: boolean; force?: boolean } = {},
): Promise<void> {
  const { recursive = false, force = false } = options;
  if (!recursive) return write(path, async () => fs.rm(path, { force }));
  let entry: Stats;
  try {
    entry = await lstat(path);
  } catch (error) {
    if (force && systemCode(error) === 'ENOENT') return;
    throw error;
  }
  if (!entry.isDirectory()) return write(path, async () => fs.rm(path, { force: true }));
  for (let attempt = 1; ; attempt += 1) {
    for (const child of await readdir(path)) {
      const below = join(path, child.name);
      if (Buffer.byteLength(below) >= longestPath) return removeWithCommand(path);
      await rm(below, { recursive: true, force: true });
    }
    try {
      return await write(path, async () => fs.rmdir(path));
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') return;
      if (code !== 'ENOTEMPTY' && code !== 'EBUSY') throw error;
      if (attempt > retries) return removeWithCommand(path);
      await new Promise((resolve) => setTimeout(resolve, retryMs * attempt));
    }
  }
}

/** @throws what execFile throws: what rm(1) wrote to standard error is in the message */
async function removeWithCommand(path: string): Promise<void> {
  await write(path, async () =>
    run('rm', ['-rf', '--', path], { env: { PATH: process.env['PATH'], LC_ALL: 'C' } }),
  );
}
