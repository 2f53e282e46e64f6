import type { Command, Option } from 'commander';
import { loadCommand } from '../commands/index.js';
import type { CliContext } from '../context.js';
import { candidatesFor, type Candidate } from './candidates.js';

/** What was found in the words before the one to complete. */
interface Place {
  /** The innermost command, defined. */
  command: Command;
  /** Its arguments so far. */
  given: string[];
  /** Value of `--profile`. */
  profile: string;
  /** The option whose value is completed; null if there is none. */
  option: Option | null;
  /** After `--`, nothing is an option. */
  isAfterDashes: boolean;
}

/**
 * The candidates for the last word, one a line: value, tab, description. A line `:files` or `:directories` leaves the rest to the
 * shell. Never throws: a completion must not print errors into a command line.
 * @param self the command `completion`; its parent has all others, not yet with their options
 */
export async function suggest(self: Command, words: readonly string[], context: CliContext): Promise<string> {
  try {
    const last = words.at(-1) ?? '';
    const place = await findPlace(self, words.slice(0, -1), context);
    const candidates = await candidatesAt(place, last, context);
    return candidates.flatMap((each) => lineOf(each, last)).join('');
  } catch {
    return '';
  }
}

async function findPlace(self: Command, before: readonly string[], context: CliContext): Promise<Place> {
  const program = self.parent ?? self;
  const place: Place = {
    command: program,
    given: [],
    profile: 'default',
    option: null,
    isAfterDashes: false,
  };
  for (const word of before) {
    if (place.option !== null) {
      if (place.option.long === '--profile') place.profile = word;
      place.option = null;
    } else if (word === '--' && !place.isAfterDashes) {
      place.isAfterDashes = true;
    } else if (word.startsWith('-') && !place.isAfterDashes) {
      const [name = '', value] = word.split(/=(.*)/s);
      const option = optionsOf(place.command).find(({ long, short }) => name === long || name === short);
      if (option?.long === '--profile' && value !== undefined) place.profile = value;
      if (option?.required === true && value === undefined) place.option = option;
    } else {
      const found =
        place.given.length === 0 ? place.command.commands.find((each) => each.name() === word) : undefined;
      if (found === undefined) place.given.push(word);
      else {
        if (found.parent === program && found !== self) await loadCommand(found, context);
        place.command = found;
      }
    }
  }
  return place;
}

/** The options of a command, and those of every command. */
function optionsOf(command: Command): Option[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
}

async function candidatesAt(place: Place, last: string, context: CliContext): Promise<readonly Candidate[]> {
  const { command, given, option, isAfterDashes, profile } = place;
  const sources = { command: command.name(), given, profile, env: context.env };
  if (option !== null) return candidatesFor({ ...sources, of: option, last });
  if (last.startsWith('-') && !isAfterDashes) {
    const [name = '', value] = last.split(/=(.*)/s);
    if (value === undefined) return optionsOf(command).flatMap(optionCandidates);
    const named = optionsOf(command).find(({ long }) => long === name);
    if (named === undefined || !(named.required || named.optional)) return [];
    const values = await candidatesFor({ ...sources, of: named, last: value });
    return values.map((each) =>
      each.value.startsWith(':') ? each : { ...each, value: `${name}=${each.value}` },
    );
  }
  if (command.commands.length > 0 && given.length === 0) {
    return command.commands.map((each) => ({ value: each.name(), about: firstLine(each.description()) }));
  }
  const { registeredArguments } = command;
  const argument = registeredArguments[given.length] ?? registeredArguments.at(-1);
  if (argument === undefined || (given.length >= registeredArguments.length && !argument.variadic)) return [];
  return candidatesFor({ ...sources, of: argument, last });
}

function optionCandidates({ long, short, description }: Option): Candidate[] {
  const value = long ?? short;
  return value === undefined ? [] : [{ value, about: firstLine(description) }];
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

/**
 * Only values that no shell interprets: ids of runs and names of images come from the outside. Descriptions lose control characters.
 */
function lineOf({ value, about }: Candidate, last: string): string[] {
  if (value.startsWith(':')) return [`${value}\n`];
  if (!value.startsWith(last) || !/^[\w@%+=:,./-]+$/.test(value)) return [];
  const text = about.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return [text === '' ? `${value}\n` : `${value}\t${text.slice(0, 70)}\n`];
}
