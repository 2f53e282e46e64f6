/**
 * Preloaded into a worker process (`node --import fault-injection.ts?<instructions>`): makes the file system of its journal
 * fail, and kills the process, as the chaos suite instructs. The worker's own code has no hook for it, and only workers
 * that the suite starts load it.
 */
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import files, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { JournalLine, PlannedKill } from './plan.js';

/** Instructions of the suite, passed in the query of this module's URL. */
export interface Instructions {
  kill: PlannedKill;
  /** Written just before the process dies at the planned step. */
  diedFile: string;
  /** While it exists, the disk is full. */
  fullFile: string;
  /** While it exists, syncing to disk is slow. */
  slowFile: string;
  /** While it exists, the clock is behind by the milliseconds in it. */
  clockFile: string;
}

const slowMs = 700;

/** The URL for `--import`. */
export function importUrl(instructions: Instructions): string {
  const url = new URL(import.meta.url);
  url.searchParams.set('instructions', JSON.stringify(instructions));
  return url.href;
}

function die({ diedFile, kill }: Instructions): never {
  writeFileSync(diedFile, JSON.stringify(kill));
  process.kill(process.pid, 'SIGKILL');
  throw new Error('this process is dead');
}

function pathOf(handle: FileHandle): string {
  return readlinkSync(`/proc/self/fd/${handle.fd}`);
}

const isJournal = (handle: FileHandle): boolean => pathOf(handle).endsWith('/journal.jsonl');
/** Whether it is the file that will replace the journal. */
const isFresh = (handle: FileHandle): boolean => pathOf(handle).endsWith('/journal.jsonl.new');

/** Counts the lines of the planned kind. @returns whether the planned one is about to be written */
function watchFor(kill: PlannedKill): (text: string) => boolean {
  if (kill.kind !== 'line') return () => false;
  let left = kill.nth;
  return (text) => {
    if (left <= 0) return false;
    left -= linesOf(text, kill.line);
    return left <= 0;
  };
}

function linesOf(text: string, wanted: JournalLine): number {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .filter((line) => (JSON.parse(line) as { event?: { type?: string } }).event?.type === wanted).length;
}

async function writeBegin(handle: FileHandle, text: string, part: number): Promise<void> {
  const bytes = Buffer.from(text);
  await handle.write(bytes.subarray(0, Math.floor((bytes.length - 1) * part)));
}

/** Sets back `Date` while the file exists; monotonic clocks are not affected. */
function followClock(clockFile: string): void {
  const RealDate = Date;
  let behindMs = 0;
  const readOffset = (): void => {
    behindMs = existsSync(clockFile) ? Number(readFileSync(clockFile, 'utf8')) : 0;
  };
  readOffset();
  setInterval(readOffset, 200).unref();
  const now = (): number => RealDate.now() - behindMs;
  globalThis.Date = new Proxy(RealDate, {
    get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
    construct: (target, args: readonly unknown[], newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  });
}

async function install(instructions: Instructions): Promise<void> {
  const { kill, fullFile, slowFile, clockFile } = instructions;
  followClock(clockFile);
  const probe = await files.open(fileURLToPath(new URL(import.meta.url)), 'r');
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  const { appendFile, datasync, sync } = prototype;
  const { rename } = files;
  const isPlannedLine = watchFor(kill);
  let dying = false;

  prototype.appendFile = async function (this: FileHandle, text, options) {
    if (typeof text === 'string' && kill.kind === 'start' && kill.moment === 'torn' && isFresh(this)) {
      const isReached = text.includes('"snapshot"') || kill.part >= 0.8;
      if (!isReached) return appendFile.call(this, text, options);
      await writeBegin(this, text, kill.part);
      die(instructions);
    }
    if (typeof text !== 'string' || !isJournal(this)) return appendFile.call(this, text, options);
    if (existsSync(fullFile)) {
      await writeBegin(this, text, 0.5);
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    }
    if (kill.kind === 'line' && isPlannedLine(text)) {
      if (kill.moment === 'before') die(instructions);
      if (kill.moment === 'torn') {
        await writeBegin(this, text, kill.part);
        die(instructions);
      }
      dying = true;
    }
    return appendFile.call(this, text, options);
  };
  prototype.datasync = async function (this: FileHandle) {
    const isLast = dying && isJournal(this);
    if (isLast && kill.kind === 'line' && kill.moment === 'written') die(instructions);
    if (existsSync(slowFile)) await delay(slowMs);
    await datasync.call(this);
    if (isLast) die(instructions);
  };
  if (kill.kind !== 'start') return;
  if (kill.moment === 'written') {
    prototype.sync = async function (this: FileHandle) {
      if (isFresh(this)) die(instructions);
      return sync.call(this);
    };
  }
  files.rename = async (from, to) => {
    await rename(from, to);
    if (kill.moment === 'synced' && String(to).endsWith('/journal.jsonl')) die(instructions);
  };
  syncBuiltinESMExports();
}

const given = new URL(import.meta.url).searchParams.get('instructions');
if (given !== null) await install(JSON.parse(given) as Instructions);
