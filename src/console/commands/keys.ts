import type { Key } from 'ink';

/** What can have the keyboard. */
export const contexts = [
  /** The table of runs and jobs. */
  'table',
  /** Any other table. */
  'list',
  /** The table of checks, and the page about one. */
  'doctor',
  'check',
  /** The page about a row of any other table. */
  'item',
  'log',
  'page',
  'help',
  'filter',
  'command',
  'search',
  'menu',
  'confirm',
  'quit',
  'quitCancel',
] as const;
export type Context = (typeof contexts)[number];

/** Views that have a key and a name of their own. */
export const viewCommands = ['jobs', 'nodes', 'partitions', 'history', 'images', 'doctor', 'worker'] as const;
export type ViewCommand = (typeof viewCommands)[number];

export type Command =
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'first'
  | 'last'
  | 'filter'
  | 'filterKeep'
  | 'filterErase'
  | 'command'
  | 'commandRun'
  | 'lineErase'
  | 'commandComplete'
  | 'sort'
  | 'sortReverse'
  | 'mark'
  | 'markRange'
  | 'markAll'
  | 'wide'
  | 'errors'
  | 'scope'
  | 'freeze'
  | 'refresh'
  | 'details'
  | ViewCommand
  | 'again'
  | 'copy'
  | 'copyPaths'
  | 'log'
  | 'focus'
  | 'follow'
  | 'wrap'
  | 'stamps'
  | 'pager'
  | 'search'
  | 'searchRun'
  | 'nextHit'
  | 'previousHit'
  | 'nextError'
  | 'wholeLog'
  | 'menu'
  | 'cancel'
  | 'pause'
  | 'lessOften'
  | 'moreOften'
  | 'confirm'
  | 'leave'
  | 'keep'
  | 'cancelAll'
  | 'back'
  | 'help'
  | 'quit'
  | 'interrupt';

export interface KeyBinding {
  /** Key names as {@link keyNames} gives them; the first is the one to show in the footer. */
  keys: readonly string[];
  command: Command;
  /** For the help: what it does. */
  description: string;
  contexts: readonly Context[];
  /** It acts on jobs or on the worker: it does not exist in a read-only console. */
  dangerous: boolean;
  /** For the footer: one word; absent where the footer does not show it. */
  hint?: string;
}

type BindingParts = [keys: readonly string[], command: Command, description: string, hint?: string];

function bind(
  contexts: readonly Context[],
  [keys, command, description, hint]: BindingParts,
  dangerous = false,
): KeyBinding {
  return { keys, command, description, contexts, dangerous, ...(hint === undefined ? {} : { hint }) };
}

const tables: readonly Context[] = ['table', 'list', 'doctor'];
const work: readonly Context[] = ['table', 'log'];
const sought: readonly Context[] = ['log', 'page', 'item', 'check'];
const acts: readonly Context[] = [...work, 'page'];
const views: readonly Context[] = [...tables, 'log', 'page', 'item', 'check'];
const lists: readonly Context[] = [...views, 'help'];

/** The one table of keys: what a key does, the help and the footer all come from it. */
export const keyTable: readonly KeyBinding[] = [
  bind(['confirm', 'quitCancel'], [['y'], 'confirm', 'Yes; any other key: no', 'yes']),
  bind(['quit'], [['l', 'y'], 'leave', 'Quit: jobs go on without the worker, until the next start']),
  bind(['quit'], [['k'], 'keep', 'Quit: keep the worker running as a service'], true),
  bind(['quit'], [['c'], 'cancelAll', 'Quit: cancel all runs first, after another question'], true),
  bind(['filter'], [['enter'], 'filterKeep', 'Keep the filter', 'keep']),
  bind(['filter'], [['esc'], 'back', 'Clear the filter', 'clear']),
  bind(['filter'], [['backspace'], 'filterErase', 'Erase a letter of the filter']),
  bind(['command'], [['enter'], 'commandRun', 'Do it', 'do']),
  bind(['command'], [['tab'], 'commandComplete', 'Complete the word', 'complete']),
  bind(['search'], [['enter'], 'searchRun', 'Search; nothing typed: end the search', 'search']),
  bind(['command', 'search'], [['esc'], 'back', 'Forget it', 'forget']),
  bind(['command', 'search'], [['backspace'], 'lineErase', 'Erase a letter']),
  bind(work, [['l'], 'log', 'Open or close the log of the selected run', 'log']),
  bind(tables, [['/'], 'filter', 'Filter: words, /expression/, field=value, !not', 'filter']),
  bind(acts, [['x'], 'cancel', 'Cancel the selected or marked rows, after a question', 'cancel'], true),
  bind(acts, [['a'], 'menu', 'What else can be done to the selected or marked rows', 'actions'], true),
  bind(tables, [['enter', 'd'], 'details', 'Everything about the selected row', 'details']),
  bind(
    ['doctor', 'check'],
    [['r'], 'again', 'Ask the doctor again: all checks, or the marked ones', 'again'],
  ),
  bind(work, [['tab'], 'focus', 'From the table to the open log, and back', 'focus']),
  bind(['log'], [['f'], 'follow', 'Follow the end of the log again, or stop', 'follow']),
  bind(sought, [['/'], 'search', 'Search the log or page: text, or /expression/', 'search']),
  bind(sought, [['n'], 'nextHit', 'The next hit of the search']),
  bind(sought, [['N'], 'previousHit', 'The previous hit of the search']),
  bind(['log'], [['E'], 'nextError', 'The next line of the log that looks like an error', 'error']),
  bind(['log'], [['F'], 'wholeLog', 'The log over the whole room, or the table again', 'whole']),
  bind(['log'], [['w'], 'wrap', 'Wrap long lines of the log, or cut them']),
  bind(['log'], [['t'], 'stamps', 'When each line of the log was seen to come, where it is known']),
  bind(views, [['o'], 'pager', 'Open the whole log in $PAGER']),
  bind(tables, [['s'], 'sort', 'Sort by the next column; Shift and its letter: by that one']),
  bind(tables, [['S'], 'sortReverse', 'Sort the other way round']),
  bind(tables, [['space'], 'mark', 'Mark the row, or take the mark away']),
  bind(tables, [['v'], 'markRange', 'Mark all rows from the last mark to here']),
  bind(tables, [['*'], 'markAll', 'Mark every row that is shown, or none']),
  bind(tables, [['w', 'ctrl-w'], 'wide', 'Pack the columns so that more have room, or not']),
  bind(['table'], [['m'], 'scope', 'Jobs of this user, of the archive only, or of all users', 'whose']),
  bind(tables, [['e', 'ctrl-z'], 'errors', 'Only what went wrong, or everything']),
  bind(views, [['y'], 'copy', 'Copy the ids of the selected or marked rows']),
  bind(views, [['Y'], 'copyPaths', 'Copy the paths of their logs']),
  bind(['page'], [['r'], 'refresh', 'Ask anew about the job of this page', 'refresh']),
  bind(views, [['z'], 'freeze', 'Freeze the screen, or go on']),
  bind(views, [['+'], 'lessOften', 'Ask about jobs less often']),
  bind(views, [['-'], 'moreOften', 'Ask about jobs more often, as far as the site allows']),
  bind(views, [['p'], 'pause', 'Pause or resume the intake of tasks', 'pause'], true),
  bind(views, [[':'], 'command', 'A command by its name']),
  bind(views, [['1'], 'jobs', 'Runs and jobs', 'jobs']),
  bind(views, [['2'], 'nodes', 'The nodes of the cluster', 'nodes']),
  bind(views, [['3'], 'partitions', 'The partitions of the cluster', 'partitions']),
  bind(views, [['4'], 'history', 'Finished runs, with what they took', 'history']),
  bind(views, [['5'], 'images', 'The image files, and who uses them', 'images']),
  bind(views, [['6'], 'doctor', 'What is wrong and how to mend it', 'doctor']),
  bind(views, [['7', 'W'], 'worker', 'How it stands with the worker', 'worker']),
  bind(lists, [['up', 'k'], 'up', 'One line up']),
  bind(lists, [['down', 'j'], 'down', 'One line down']),
  bind(lists, [['pgup', 'ctrl-b'], 'pageUp', 'One page up']),
  bind(lists, [['pgdn', 'ctrl-f'], 'pageDown', 'One page down']),
  bind(lists, [['g', 'home'], 'first', 'To the first line']),
  bind(lists, [['G', 'end'], 'last', 'To the last line; a log is followed again']),
  bind(lists, [['?'], 'help', 'This help, or back', 'help']),
  bind(lists, [['esc'], 'back', 'Back; ends a search first, then clears filter and marks']),
  bind(lists, [['q'], 'quit', 'Quit; jobs go on', 'quit']),
  bind(contexts, [['ctrl-c'], 'interrupt', 'Quit; pressed twice: at once']),
];

/** The bindings that exist in a context, in the order of the table. */
export function bindingsFor(context: Context, readOnly: boolean): readonly KeyBinding[] {
  return keyTable.filter((one) => one.contexts.includes(context) && !(readOnly && one.dangerous));
}

/** What `key` means in a context; null: nothing. */
export function commandFor(key: string, context: Context, readOnly: boolean): Command | null {
  return bindingsFor(context, readOnly).find((one) => one.keys.includes(key))?.command ?? null;
}

const namedKeys = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pgup'],
  ['pageDown', 'pgdn'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'esc'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  ['delete', 'backspace'],
] as const;

const characterNames: Readonly<Record<string, string>> = {
  ' ': 'space',
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
};

/**
 * The keys in one input event of Ink. A slow connection can deliver several at once (`jj`), hence a list. A printable
 * character is its own name, but for the space.
 */
export function keyNames(input: string, key: Partial<Key>): string[] {
  if (key.eventType === 'release') return [];
  if (key.ctrl === true && input.length === 1) return [`ctrl-${input}`];
  const named = namedKeys.find(([flag]) => key[flag] === true);
  if (named !== undefined) return [named[1]];
  if (key.meta === true || key.ctrl === true) return [];
  return Array.from(input, (character) => characterNames[character] ?? character);
}

/** A key as the help and the footer write it. */
export function keyLabel(key: string): string {
  const labels: Readonly<Record<string, string>> = {
    up: 'Up',
    down: 'Down',
    pgup: 'PgUp',
    pgdn: 'PgDn',
    home: 'Home',
    end: 'End',
    enter: 'Enter',
    esc: 'Esc',
    tab: 'Tab',
    space: 'Space',
    backspace: 'Backspace',
  };
  return labels[key] ?? key.replace(/^ctrl-(.)$/u, (_, letter: string) => `Ctrl-${letter.toUpperCase()}`);
}
