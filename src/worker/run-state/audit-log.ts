import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';

import type { Clock } from '../../base/clock.js';
import { describeFailure, type StartedCommand, type CommandRecord } from '../../base/command.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { maskText } from '../../base/text/redact.js';

/**
 * Every external command and its result, one JSON line each, in `commands.jsonl` of the state directory. Repeated queries with
 * the same result are counted in one line. A command that changes something has two lines, one when it starts and one when it
 * ends, so that it is on record even if the worker is killed meanwhile.
 */
export interface AuditLog {
  begin(command: StartedCommand): void;
  note(record: CommandRecord): void;
  /** Writes the pending counts and closes the file. */
  close(): Promise<void>;
}

export interface AuditLogOptions {
  /** What runs the commands: `worker` or `runs`. */
  by: string;
  clock: Clock;
  log: Log;
  /** Maximum bytes of one file, and the number of older files that are kept. */
  maxBytes?: number;
  keep?: number;
}

/** The line of a command that has started. */
interface StartEntry {
  at: string;
  by: string;
  pid: number;
  command: string;
  args: readonly string[];
  begun?: true;
}

/** The line of a command that has ended. */
interface EndEntry extends StartEntry {
  /** Null if it was killed or could not be started; `problem` says which. */
  exitCode: number | null;
  ms: number;
  problem?: string;
  /** Repetitions with the same result, and the time of the last one; `ms` is the longest. */
  again?: number;
  until?: string;
}

export const auditFileName = 'commands.jsonl';

const maxArgumentLength = 1_000;
const maxArguments = 500;
const maxMessageLength = 1_000;
/** Queries that are counted at one time, and for how long. */
const maxCounted = 32;
const maxCountedMs = 60 * 60_000;
/** Lines that wait for a slow disk; further ones are dropped and counted. */
const maxWaiting = 5_000;

/** Commands that only query. */
const queryCommands = new Set(['squeue', 'sacct', 'sinfo', 'sprio', 'sdiag']);

/** Whether a command only queries and cannot change anything. */
export function isQuestion(file: string, args: readonly string[]): boolean {
  const name = basename(file);
  const verb = args.find((arg) => !arg.startsWith('-'));
  // `write` writes a file unless it is to print
  if (name === 'scontrol')
    return verb === 'show' || verb === 'ping' || (verb === 'write' && args.at(-1) === '-');
  if (name === 'sacctmgr') return verb === 'show' || verb === 'list';
  return queryCommands.has(name) || (args.length === 1 && args[0] === '--version');
}

/** Opens the audit log. A failed write blocks nothing: the worker's log reports it once. */
export function openAuditLog(
  stateDirectory: string,
  { by, clock, log, maxBytes = 8_000_000, keep = 4 }: AuditLogOptions,
): AuditLog {
  const path = join(stateDirectory, auditFileName);
  const counted = new Map<string, { entry: EndEntry; since: number }>();
  let lines: string[] = [];
  let dropped = 0;
  let isWritable = true;
  let opened: { file: FileHandle; bytes: number } | null = null;
  let writing: Promise<void> | null = null;

  function startEntry({ at, file, args }: StartedCommand): StartEntry {
    return {
      at: new Date(at).toISOString(),
      by,
      pid: process.pid,
      command: file,
      args: args.slice(0, maxArguments).map((arg) => arg.slice(0, maxArgumentLength)),
    };
  }

  function endEntry(record: CommandRecord): EndEntry {
    const { result } = record;
    const message = maskText(describeFailure(result)).slice(0, maxMessageLength);
    return {
      ...startEntry(record),
      exitCode: result.kind === 'exited' ? result.exitCode : null,
      ms: result.ms,
      ...(message === '' ? {} : { problem: message }),
    };
  }

  function count(entry: EndEntry): void {
    const key = JSON.stringify([entry.command, entry.args]);
    const before = counted.get(key);
    const isSame = before?.entry.exitCode === entry.exitCode && before.entry.problem === entry.problem;
    if (before !== undefined && isSame && clock.monotonic() - before.since < maxCountedMs) {
      const { again = 0, ms } = before.entry;
      before.entry = { ...before.entry, again: again + 1, ms: Math.max(ms, entry.ms), until: entry.at };
      return;
    }
    writeCount(key);
    counted.set(key, { entry, since: clock.monotonic() });
    put(entry);
    for (const oldest of counted.keys()) {
      if (counted.size <= maxCounted) break;
      writeCount(oldest);
    }
  }

  /** Writes how often a query was repeated since its line. */
  function writeCount(key: string): void {
    const found = counted.get(key);
    counted.delete(key);
    if (found?.entry.again !== undefined) put(found.entry);
  }

  function put(entry: StartEntry): void {
    if (lines.length >= maxWaiting) dropped += 1;
    else lines.push(JSON.stringify(entry));
    writing ??= write().finally(() => {
      writing = null;
    });
  }

  async function write(): Promise<void> {
    while (lines.length > 0) {
      const missing =
        dropped === 0 ? '' : `${JSON.stringify({ at: new Date().toISOString(), by, dropped })}\n`;
      const text = `${missing}${lines.join('\n')}\n`;
      lines = [];
      dropped = 0;
      try {
        opened ??= await openFile(path);
        if (opened.bytes > maxBytes) {
          const { file } = opened;
          opened = null;
          opened = await rotate(path, file, keep);
        }
        await opened.file.appendFile(text);
        opened.bytes += Buffer.byteLength(text);
        isWritable = true;
      } catch (error) {
        if (isWritable) log.warn({ path, why: errorLine(error) }, 'commands are missing in the audit log');
        isWritable = false;
      }
    }
  }

  return {
    begin(command) {
      if (!isQuestion(command.file, command.args)) put({ ...startEntry(command), begun: true });
    },
    note(record) {
      const entry = endEntry(record);
      if (isQuestion(record.file, record.args)) count(entry);
      else put(entry);
    },
    async close() {
      for (const key of counted.keys()) writeCount(key);
      await writing;
      await opened?.file.close();
      opened = null;
    },
  };
}

async function openFile(path: string): Promise<{ file: FileHandle; bytes: number }> {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  const file = await open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  return { file, bytes: (await file.stat()).size };
}

/** Renames `commands.jsonl` to `commands.jsonl.1`, and so on; removes the oldest. */
async function rotate(
  path: string,
  file: FileHandle,
  keep: number,
): Promise<{ file: FileHandle; bytes: number }> {
  await file.close();
  await rm(`${path}.${keep}`, { force: true });
  for (let number = keep - 1; number >= 0; number -= 1) {
    const from = number === 0 ? path : `${path}.${number}`;
    await rename(from, `${path}.${number + 1}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
  return openFile(path);
}
