import { execFile } from 'node:child_process';
import { constants, type Dirent, type Mode, type Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { systemCode } from './errors.js';
import { createGate } from './concurrency-gate.js';

/**
 * Files on file systems that other hosts have a part in: the directories of inputs, outputs, logs and images. Such a
 * file system can hang: a call that asks it anything returns when its server is back, hours later perhaps.
 *
 * Node makes every call on a file in one of four threads, which it has also for the names of hosts. Four calls that hang
 * stall them all: no journal, no connection, no other directory. So calls on shared files go through a gate of two, and
 * whoever comes after waits before it and costs nothing. Nothing here gives up: a run goes on when its files do.
 *
 * The names are those of `node:fs/promises`. One gate for the whole process, for what it guards is the process's own.
 */
const gate = createGate(2, () => performance.now());

/** After so many milliseconds a call counts as hanging. A large directory on a busy server takes seconds. */
const patienceMs = 10_000;

const guards = new Set<() => Promise<void>>();

/**
 * Has every change to a shared file wait for `mayWrite`, and fail with it: another worker may have taken over.
 * @returns the way to end that
 */
export function guardSharedFiles(mayWrite: () => Promise<void>): () => void {
  guards.add(mayWrite);
  return () => guards.delete(mayWrite);
}

/** As `gate.pass`, for what changes something. */
async function change<T>(path: string, work: () => Promise<T>): Promise<T> {
  for (const mayWrite of guards) await mayWrite();
  return gate.pass(path, work);
}

/** Says which shared file does not answer, and since when; null while all do. For a line on a screen. */
export function sharedFilesProblem(now = performance.now()): string | null {
  const view = gate.view();
  if (view === null || now - view.since < patienceMs) return null;
  const seconds = Math.round((now - view.since) / 1_000);
  return `The file system of ${view.label} has not answered for ${seconds} s; what needs it waits.`;
}

/** Fails every call that is under way or waits: for a worker that stops while its files hang. */
export function abandonSharedFiles(): void {
  gate.abandon(new Error('The worker stopped while its shared files did not answer.'));
}

/**
 * Whether nothing is under way any more, now or within so many milliseconds. Neither the end of the program nor
 * `process.exit` comes past a call that hangs.
 */
export async function waitUntilIdle(withinMs: number): Promise<boolean> {
  for (const deadline = performance.now() + withinMs; gate.view() !== null;) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

const writing = constants.O_WRONLY | constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;

/** The part of node's `FileHandle` that is needed. */
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
  const enter = isForReading ? gate.pass : change;
  const handle = await enter(path, async () => fs.open(path, flags, mode));
  const close = async (): Promise<void> => gate.pass(path, async () => handle.close());
  return {
    stat: async () => gate.pass(path, async () => handle.stat()),
    chmod: async (to) => change(path, async () => handle.chmod(to)),
    truncate: async (length) => change(path, async () => handle.truncate(length)),
    read: async (...args) => gate.pass(path, async () => handle.read(...args)),
    write: async (...args) => change(path, async () => handle.write(...args)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

export const access = async (path: string, mode?: number): Promise<void> =>
  gate.pass(path, async () => fs.access(path, mode));
export const chmod = async (path: string, mode: Mode): Promise<void> =>
  change(path, async () => fs.chmod(path, mode));
export const lstat = async (path: string): Promise<Stats> => gate.pass(path, async () => fs.lstat(path));
export const stat = async (path: string): Promise<Stats> => gate.pass(path, async () => fs.stat(path));
export const mkdir = async (path: string, options: { mode?: Mode } = {}): Promise<void> =>
  change(path, async () => {
    await fs.mkdir(path, options);
  });
export const readdir = async (path: string): Promise<Dirent[]> =>
  gate.pass(path, async () => fs.readdir(path, { withFileTypes: true }));
export const realpath = async (path: string): Promise<string> =>
  gate.pass(path, async () => fs.realpath(path));
export const rename = async (from: string, to: string): Promise<void> =>
  change(to, async () => fs.rename(from, to));
export const readFile = async (path: string, encoding: 'utf8'): Promise<string> =>
  gate.pass(path, async () => fs.readFile(path, encoding));
export const writeFile = async (
  path: string,
  content: string | Uint8Array,
  options: { mode?: Mode; flag?: string } = {},
): Promise<void> => change(path, async () => fs.writeFile(path, content, options));

/** PATH_MAX of Linux, with the NUL at the end. */
const longestPath = 4_096;

const run = promisify(execFile);

/** Another host may have a file of it open, which NFS keeps under another name for a moment. */
const retries = 3;
const retryMs = 100;

/**
 * Removes a file, or with `recursive` a directory and what is in it. Not node's own, which has as many calls under way
 * as there are threads.
 *
 * A container decides what its files are called: names that are not UTF-8, and paths longer than PATH_MAX, cannot be
 * written as a path in Node. What is left because of them is removed with rm(1), which descends by file descriptor.
 */
export async function rm(
  path: string,
  options: { recursive?: boolean; force?: boolean } = {},
): Promise<void> {
  const { recursive = false, force = false } = options;
  if (!recursive) return change(path, async () => fs.rm(path, { force }));
  let entry: Stats;
  try {
    entry = await lstat(path);
  } catch (error) {
    if (force && systemCode(error) === 'ENOENT') return;
    throw error;
  }
  if (!entry.isDirectory()) return change(path, async () => fs.rm(path, { force: true }));
  for (let attempt = 1; ; attempt += 1) {
    for (const child of await readdir(path)) {
      const below = join(path, child.name);
      if (Buffer.byteLength(below) >= longestPath) return removeWithCommand(path);
      await rm(below, { recursive: true, force: true });
    }
    try {
      return await change(path, async () => fs.rmdir(path));
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
  await change(path, async () =>
    run('rm', ['-rf', '--', path], { env: { PATH: process.env['PATH'], LC_ALL: 'C' } }),
  );
}
