import type { Command } from './command.js';
import { commandTable } from './command-table.js';

/** A command with a name on the `:` line. */
type NamedCommand = Command & { name: string };

/** The commands of the `:` line in alphabetical order. */
export function namedCommands(readOnly: boolean): readonly NamedCommand[] {
  return commandTable
    .filter((one): one is NamedCommand => one.name !== undefined && !(readOnly && one.dangerous))
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
}

/** Splits a line into a command and its words; null if there is no such command. */
export function parseCommandLine(
  line: string,
  readOnly: boolean,
): { command: NamedCommand; words: readonly string[] } | null {
  const [name = '', ...words] = line.trim().split(/\s+/u);
  const command = namedCommands(readOnly).find((one) => one.name === name || one.aliases.includes(name));
  return command === undefined ? null : { command, words };
}

/**
 * The commands that match what was typed, the best first: by the beginning of a name or alias, by letters of a name in order
 * (`pt` for `partitions`), by a word of the help. All of them for an empty text.
 */
export function matchingCommands(text: string, readOnly: boolean): readonly NamedCommand[] {
  const wanted = text.trim().toLowerCase();
  return namedCommands(readOnly)
    .map((command) => ({ command, rank: rankOf(command, wanted) }))
    .filter(({ rank }) => rank < Infinity)
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ command }) => command);
}

function rankOf({ name, aliases, help }: NamedCommand, wanted: string): number {
  if (name.startsWith(wanted)) return 0;
  if (aliases.some((alias) => alias.startsWith(wanted))) return 1;
  if (hasLetters(name, wanted)) return 2;
  return wanted.length > 1 && help.toLowerCase().includes(wanted) ? 3 : Infinity;
}

/** Whether a word has these letters in this order, beginning with the first. */
function hasLetters(word: string, letters: string): boolean {
  if (word[0] !== letters[0]) return false;
  let at = -1;
  return Array.from(letters).every((letter) => {
    at = word.indexOf(letter, at + 1);
    return at !== -1;
  });
}

interface CompletionContext {
  readOnly: boolean;
  /** Columns of the table on screen. */
  columnIds: readonly string[];
}

/** The completions of the last word of a line. */
export function completions(line: string, { readOnly, columnIds }: CompletionContext): readonly string[] {
  const words = line.trimStart().split(/\s+/u);
  if (words.length <= 1) {
    const prefix = words[0] ?? '';
    return namedCommands(readOnly)
      .map(({ name }) => name)
      .filter((name) => completes(prefix, name));
  }
  const parsed = parseCommandLine(words[0] ?? '', readOnly);
  const prefix = (words.at(-1) ?? '').split(',').at(-1) ?? '';
  const candidates = parsed?.command.completions ?? [];
  return (candidates === 'columns' ? columnIds : candidates).filter((one) => completes(prefix, one));
}

/** Ignores case, so that `us` completes to `USR1`. */
function completes(prefix: string, word: string): boolean {
  return word !== prefix && word.toLowerCase().startsWith(prefix.toLowerCase());
}

/** Completes the last word of a line as far as all candidates agree. */
export function complete(line: string, context: CompletionContext): string {
  const candidates = completions(line, context);
  const [first] = candidates;
  if (first === undefined) return line;
  let common = first;
  while (!candidates.every((one) => one.startsWith(common))) common = common.slice(0, -1);
  const kept = line.slice(0, line.length - (/[^\s,]*$/u.exec(line)?.[0].length ?? 0));
  return `${kept}${common}${candidates.length === 1 ? ' ' : ''}`;
}
