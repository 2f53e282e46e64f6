import { rowActions } from './row-actions.js';
import { jobScopes } from '../state/rows.js';

/** A command of the `:` line. */
export interface NamedCommand {
  name: string;
  aliases: readonly string[];
  /** For the help: what may follow. */
  argument: string;
  description: string;
  /** It acts on jobs or on the worker: it does not exist in a read-only console. */
  dangerous: boolean;
  /** Words that may follow, for completion; `columns`: those of the table on screen. */
  offers: readonly string[] | 'columns';
}

type Parts = [
  name: string,
  argument: string,
  description: string,
  offers?: NamedCommand['offers'],
  aliases?: readonly string[],
];

function named(
  [name, argument, description, offers = [], aliases = []]: Parts,
  dangerous = false,
): NamedCommand {
  return { name, aliases, argument, description, offers, dangerous };
}

/** The one list of commands: what `:` knows, the completion and the help all come from it. */
const commandList: readonly NamedCommand[] = [
  named(['jobs', '', 'Runs and jobs', [], ['runs']]),
  named(['job', '', 'Everything about the selected row', [], ['details']]),
  named(['nodes', '', 'The nodes of the cluster', [], ['node']]),
  named(['partitions', '', 'The partitions of the cluster', [], ['partition']]),
  named(['history', '', 'Finished runs, with what they took', [], ['finished']]),
  named(['images', '', 'The image files, and who uses them', [], ['sif']]),
  named(['doctor', '', 'What is wrong and how to mend it', [], ['checks']]),
  named(['worker', '', 'How it stands with the worker']),
  named(['help', '', 'The help']),
  named(['filter', '<words>', 'As / does']),
  named(['sort', '<column> [desc]', 'Sort by a column; without one in the own order', 'columns']),
  named(['columns', '<a,b,c>', 'Show just these columns; without any the usual ones', 'columns']),
  named(['export', 'csv|json [file]', 'Write the rows that are shown into a file', ['csv', 'json']]),
  named([
    'copy',
    '[paths]',
    'Copy the ids of the selected or marked rows, or the paths of their logs',
    ['paths'],
  ]),
  named(['scope', 'mine|dsa|all', 'List jobs of this user, of the archive only, or of all users', jobScopes]),
  named(['log', '', 'Open or close the log of the selected run or job', [], ['logs']]),
  named(['pager', '', 'Open the whole log in $PAGER']),
  named(['errors', '', 'Only what went wrong, or everything']),
  named(['wide', '', 'Pack the columns so that more have room, or not']),
  named(['freeze', '', 'Freeze the screen, or go on']),
  ...rowActions.map(({ name, aliases, description, value }) =>
    named([name, value?.argument ?? '', description, value?.offers ?? [], aliases], true),
  ),
  named(['pause', '', 'Pause the intake of tasks'], true),
  named(['resume', '', 'Resume the intake of tasks'], true),
  named(['drain', '', 'Take nothing more, and say when nothing is in flight'], true),
  named(['quit', '', 'Leave', [], ['q', 'exit']]),
];

/** The commands that exist. */
export function commandsFor(readOnly: boolean): readonly NamedCommand[] {
  return commandList.filter(({ dangerous }) => !(readOnly && dangerous));
}

/** A line as a command and what follows it; null where there is no such command. */
export function parseCommandLine(
  line: string,
  readOnly: boolean,
): { command: NamedCommand; words: readonly string[] } | null {
  const [name = '', ...words] = line.trim().split(/\s+/u);
  const command = commandsFor(readOnly).find((one) => one.name === name || one.aliases.includes(name));
  return command === undefined ? null : { command, words };
}

/** What the completion of a line depends on. */
export interface Completing {
  readOnly: boolean;
  /** Of the table on screen. */
  columnIds: readonly string[];
}

/** What the last word of a line could become. */
export function completions(line: string, { readOnly, columnIds }: Completing): readonly string[] {
  const words = line.trimStart().split(/\s+/u);
  if (words.length <= 1) {
    const begun = words[0] ?? '';
    return commandsFor(readOnly)
      .map(({ name }) => name)
      .filter((name) => couldBe(begun, name));
  }
  const found = parseCommandLine(words[0] ?? '', readOnly);
  const begun = (words.at(-1) ?? '').split(',').at(-1) ?? '';
  const offers = found?.command.offers ?? [];
  return (offers === 'columns' ? columnIds : offers).filter((offer) => couldBe(begun, offer));
}

/** Whatever the case: `us` is on its way to `USR1`. */
function couldBe(begun: string, offer: string): boolean {
  return offer !== begun && offer.toLowerCase().startsWith(begun.toLowerCase());
}

/** The line with its last word completed as far as all that it could become agree; itself where nothing could. */
export function complete(line: string, completing: Completing): string {
  const offers = completions(line, completing);
  const [first] = offers;
  if (first === undefined) return line;
  let common = first;
  while (!offers.every((offer) => offer.startsWith(common))) common = common.slice(0, -1);
  const kept = line.slice(0, line.length - (/[^\s,]*$/u.exec(line)?.[0].length ?? 0));
  return `${kept}${common}${offers.length === 1 ? ' ' : ''}`;
}
