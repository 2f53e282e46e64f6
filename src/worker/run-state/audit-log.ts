import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';

import type { Clock } from '../../base/clock.js';
import { describeFailure, type StartedCommand, type CommandRecord } from '../../base/command.js';
import { errorLine } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { maskText } from '../../base/redact.js';

/**
 * Every external command with how it ended, one JSON line each, in `commands.jsonl` of the state directory. Questions that are
 * asked again and again with the same end are counted in one line; whatever changes something has lines of its own: one
 * when it is begun, which is all that a worker leaves of it that is killed meanwhile, and one when it has ended.
 */
export interface AuditLog {
  begin(command: StartedCommand): void;
  note(record: CommandRecord): void;
  /** Writes what is still counted; then nothing more. */
  close(): Promise<void>;
}

export interface AuditLogOptions {
  /** Who runs the commands: `worker` or `runs`. */
  by: string;
  clock: Clock;
  log: Log;
  /** Bytes of one file, and how many older ones are kept. */
  maxBytes?: number;
  keep?: number;
}

/** A line of the file, about a command that is begun. */
interface BegunEntry {
  at: string;
  by: string;
  pid: number;
  command: string;
  args: readonly string[];
  begun?: true;
}

/** About one that has ended. */
interface Entry extends BegunEntry {
  /** Null: it did not end by itself, and `trouble` says what became of it. */
  exitCode: number | null;
  ms: number;
  trouble?: string;
  /** Further times with the same end, the last of them then; `ms` is the longest. */
  again?: number;
  until?: string;
}

export const auditFileName = 'commands.jsonl';

const longestArgument = 1_000;
const mostArguments = 500;
const longestTrouble = 1_000;
/** Questions that are counted at one time, and for how long at most. */
const mostCounted = 32;
const countedMs = 60 * 60_000;
/** Lines that wait for a slow disk; further ones are only counted. */
const mostWaiting = 5_000;

/** Only ask. */
const askers = new Set(['squeue', 'sacct', 'sinfo', 'sprio', 'sdiag']);

/** Whether a command cannot change anything. */
export function isQuestion(file: string, args: readonly string[]): boolean {
  const name = basename(file);
  const verb = args.find((arg) => !arg.startsWith('-'));
  if (name === 'scontrol') return verb === 'show' || verb === 'ping';
  if (name === 'sacctmgr') return verb === 'show' || verb === 'list';
  return askers.has(name) || (args.length === 1 && args[0] === '--version');
}

/** Opens the audit log. What cannot be written of it holds up nothing: the worker's log says so once. */
export function openAuditLog(
  stateDirectory: string,
  { by, clock, log, maxBytes = 8_000_000, keep = 4 }: AuditLogOptions,
): AuditLog {
  const path = join(stateDirectory, auditFileName);
  const counted = new Map<string, { entry: Entry; since: number }>();
  let lines: string[] = [];
  let dropped = 0;
  let isWell = true;
  let opened: { file: FileHandle; bytes: number } | null = null;
  let writing: Promise<void> | null = null;

  function nameOf({ at, file, args }: StartedCommand): BegunEntry {
    return {
      at: new Date(at).toISOString(),
      by,
      pid: process.pid,
      command: file,
      args: args.slice(0, mostArguments).map((arg) => arg.slice(0, longestArgument)),
    };
  }

  function entryOf(record: CommandRecord): Entry {
    const { result } = record;
    const trouble = maskText(describeFailure(result)).slice(0, longestTrouble);
    return {
      ...nameOf(record),
      exitCode: result.kind === 'exited' ? result.exitCode : null,
      ms: result.ms,
      ...(trouble === '' ? {} : { trouble }),
    };
  }

  function count(entry: Entry): void {
    const key = JSON.stringify([entry.command, entry.args]);
    const before = counted.get(key);
    const isSame = before?.entry.exitCode === entry.exitCode && before.entry.trouble === entry.trouble;
    if (before !== undefined && isSame && clock.monotonic() - before.since < countedMs) {
      const { again = 0, ms } = before.entry;
      const longest = Math.max(ms, entry.ms);
      before.entry = { ...before.entry, again: again + 1, ms: longest, until: entry.at };
      return;
    }
    tell(key);
    counted.set(key, { entry, since: clock.monotonic() });
    put(entry);
    for (const oldest of counted.keys()) {
      if (counted.size <= mostCounted) break;
      tell(oldest);
    }
  }

  /** Writes how often a question was asked since its line. */
  function tell(key: string): void {
    const found = counted.get(key);
    counted.delete(key);
    if (found?.entry.again !== undefined) put(found.entry);
  }

  function put(entry: BegunEntry): void {
    if (lines.length >= mostWaiting) dropped += 1;
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
        isWell = true;
      } catch (error) {
        if (isWell) log.warn({ path, why: errorLine(error) }, 'commands are missing in the audit log');
        isWell = false;
      }
    }
  }

  return {
    begin(command) {
      if (!isQuestion(command.file, command.args)) put({ ...nameOf(command), begun: true });
    },
    note(record) {
      const entry = entryOf(record);
      if (isQuestion(record.file, record.args)) count(entry);
      else put(entry);
    },
    async close() {
      for (const key of counted.keys()) tell(key);
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

/** `commands.jsonl` becomes `commands.jsonl.1`, and so on; the oldest goes. */
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
