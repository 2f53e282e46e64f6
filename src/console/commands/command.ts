import type { CommandAnswer } from '../../worker/views/handle.js';
import type { Action } from '../state/action.js';
import type {
  ActionTarget,
  BatchTarget,
  ConsoleState,
  Context,
  Message,
  NodeTarget,
} from '../state/state.js';
import type { RowAction } from './row-actions.js';

/** Something the operator can do with a key, with a name on the `:` line, or with both. */
export interface Command {
  id: string;
  /** Key names as `keyNames` gives them. The footer shows the first one. Empty: no key. */
  keys: readonly string[];
  /** Where the keys work. The name works everywhere. */
  contexts: readonly Context[];
  /** Name on the `:` line; absent: keys only. */
  name?: string;
  aliases: readonly string[];
  /** For the help: what may follow the name. */
  argument: string;
  /** Completions for what follows the name; `columns`: the columns of the table on screen. */
  completions: readonly string[] | 'columns';
  /** It affects jobs or the worker: it does not exist in a read-only console. */
  dangerous: boolean;
  /** For the help: what it does. */
  help: string;
  /** One word for the footer; null hides the command there. */
  hint?: (state: ConsoleState) => string | null;
  /** Its hint is never dropped from a full footer. */
  pinned: boolean;
  /** @param words what followed the name; empty for a key */
  run(context: CommandContext, words: readonly string[]): void;
}

/** Everything that commands act on. */
export interface CommandContext {
  state(): ConsoleState;
  dispatch(action: Action): void;
  notify: Notify;
  tables: TableCommands;
  logs: LogCommands;
  search: SearchController;
  doctor: DoctorCommands;
  rowActions: RowActionController;
  nodes: NodeCommands;
  batches: BatchCommands;
  quit: QuitController;
  worker: WorkerCommands;
  line: LineEditor;
  host: Pick<HostServices, 'suspend'>;
}

/** Shows a text in the message line: errors until the next key, anything else for some seconds. */
export type Notify = (tone: Message['tone'], text: string) => void;

/** Shows the answer to a request, or the error that it threw. */
export type ShowAnswer = (request: () => Promise<CommandAnswer>) => void;

/** The console's only effects outside of its screen and the worker. */
export interface HostServices {
  /** Writes a new file. Resolves with its path. */
  saveFile(name: string, text: string): Promise<string>;
  /** Shows a file in the pager, which owns the terminal until it exits. Resolves with an error message or null. */
  openPager(path: string): Promise<string | null>;
  copyToClipboard(text: string): void;
  /** Stops the process until the shell continues it. Absent: not possible, because the worker runs in it. */
  suspend?: () => Promise<void>;
}

/** Commands for the table on screen. */
export interface TableCommands {
  /** Opens the page about the selected row, or the table that it leads to. */
  open(): void;
  reverseSort(): void;
  toggleWide(): void;
  /** Sorts by the column with this Shift+letter key, if there is one. */
  sortByLetter(key: string): void;
  sortByName(words: readonly string[]): void;
  chooseColumns(words: readonly string[]): void;
  exportRows(words: readonly string[]): void;
  copyIds(): void;
}

export interface LogCommands {
  /** Opens or closes the log of the selected row. */
  toggle(): void;
  /** Shows the standard error instead of the standard output, or back. */
  toggleStderr(): void;
  /** Opens the page with the batch script of the selected row's job. */
  openScript(): void;
  /** Opens the complete log of the selected row, also while no log pane is open. */
  openInPager(): void;
  copyPaths(): void;
}

/** Searches the open log or page. */
export interface SearchController {
  /** Searches from the visible lines on; an empty text ends the search. */
  search(text: string): void;
  next(direction: 1 | -1): void;
  nextError(): void;
}

export interface DoctorCommands {
  /** Runs all checks when the view is opened for the first time. */
  opened(): void;
  /** Runs checks again: the one of the open page, the marked ones, or all. */
  runAgain(): void;
}

/** A menu of actions. */
export interface ActionMenu {
  openMenu(): void;
  /** Takes the action with this key in the menu; Enter takes the highlighted one. */
  choose(key: string): void;
  /** Moves to the next action in the menu that can work. */
  moveInMenu(direction: 1 | -1): void;
}

export interface RowActionController extends ActionMenu {
  /** Asks for confirmation. @param words what followed the command */
  ask(action: RowAction, words: readonly string[]): void;
  /** Performs the action on the rows as they were when the question appeared. */
  perform(target: ActionTarget): void;
}

/** Drains and resumes the marked nodes, else the selected one, or that of the open page. */
export interface NodeCommands extends ActionMenu {
  /** Asks for confirmation. @param words the reason to drain */
  ask(kind: NodeTarget['change']['kind'], words: readonly string[]): void;
  perform(target: NodeTarget): void;
}

/** Commands for the selected batch. */
export interface BatchCommands {
  /** Asks for confirmation. */
  ask(kind: BatchTarget['request']['kind']): void;
  perform(target: BatchTarget): void;
  openPage(): void;
  /** Writes the failed slides, by reason. @param words the name of the file */
  exportFailures(words: readonly string[]): void;
}

/** What happens to an embedded worker when the console closes. `keep`: it continues as a service. */
export type QuitChoice = 'leave' | 'keep';

export interface QuitController {
  /** Quits at once if nothing depends on it, otherwise asks. */
  ask(): void;
  leave(): void;
  keep(): void;
  /** Asks for confirmation and lists the runs that would be canceled. */
  askCancelAll(): void;
  /** Cancels the listed runs, and quits once no run is in flight. */
  confirmCancelAll(): void;
}

export interface WorkerCommands {
  /** Asks whether to start a worker, if none runs. */
  askStart(): void;
  /** Starts it as a service; the console attaches to it. */
  start(): void;
  pause(): void;
  resume(): void;
  /** Resumes the intake, or asks whether to pause it. */
  togglePause(): void;
  drain(): void;
  pollLessOften(): void;
  pollMoreOften(): void;
}

/** The text being typed after `:` or `/`. */
export interface LineEditor {
  /** Inserts text at the end. */
  insert(text: string): void;
  erase(): void;
  complete(): void;
  /** Highlights another one of the matching commands. */
  moveInPalette(direction: 1 | -1): void;
  /** Types into the search of the help. */
  keepHelpSearch(): void;
  /** Closes the line and runs the command. */
  runCommand(): void;
  /** Closes the line and starts the search. */
  startSearch(): void;
}
