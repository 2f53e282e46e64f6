import type { CursorMove } from '../state/cursor-movement.js';
import { sideBySideColumns } from '../state/layout.js';
import { jobScopes } from '../state/rows.js';
import {
  contexts,
  isNodePlace,
  isWorkerMissing,
  tableNames,
  type ConsoleState,
  type Context,
} from '../state/state.js';
import { themeNames } from '../terminal/theme.js';
import type { ActionMenu, Command, CommandContext } from './command.js';
import { rowActions } from './row-actions.js';

/** Contexts that share keys. */
export const tableContexts: readonly Context[] = ['table', 'list', 'batches', 'nodes', 'doctor'];
const jobsAndLog: readonly Context[] = ['table', 'log'];
const rowActionContexts: readonly Context[] = [...jobsAndLog, 'page'];
const searchable: readonly Context[] = ['log', 'page', 'item', 'check'];
const views: readonly Context[] = [...tableContexts, ...searchable];
const scrollable: readonly Context[] = [...views, 'help'];

type CommandParts = Pick<Command, 'id' | 'help' | 'run'> &
  Partial<Omit<Command, 'hint'>> & { hint?: string | NonNullable<Command['hint']> };

function command({ hint, ...parts }: CommandParts): Command {
  return {
    keys: [],
    contexts: views,
    aliases: [],
    argument: '',
    completions: [],
    dangerous: false,
    pinned: false,
    ...(hint === undefined ? {} : { hint: typeof hint === 'string' ? () => hint : hint }),
    ...parts,
  };
}

/** A hint that is only shown where there is a run or job. */
function rowHint(hint: string): (state: ConsoleState) => string | null {
  return ({ place }) => (place.view === 'jobs' || place.view === 'job' ? hint : null);
}

function move(direction: CursorMove, keys: readonly string[], help: string): Command {
  return command({
    id: direction,
    keys,
    contexts: scrollable,
    help,
    run: ({ dispatch }) => dispatch({ type: 'cursorMoved', move: direction }),
  });
}

/** The menu for the view on screen. */
export function openedMenu({ state, nodes, rowActions }: CommandContext): ActionMenu {
  return isNodePlace(state()) ? nodes : rowActions;
}

function toggleHelp({ state, dispatch }: CommandContext): void {
  dispatch({ type: state().overlay.kind === 'help' ? 'back' : 'helpOpened' });
}

function chooseScope({ state, dispatch, notify }: CommandContext, word: string | undefined): void {
  const scope = jobScopes.find((one) => one === word);
  if (scope === undefined) return notify('bad', `Use :scope with one of ${jobScopes.join(', ')}.`);
  if (state().place.view !== 'jobs') dispatch({ type: 'navigated', place: { view: 'jobs' } });
  return dispatch({ type: 'scopeChosen', scope });
}

function chooseTheme({ dispatch, notify }: CommandContext, word: string | undefined): void {
  const theme = themeNames.find((one) => one === word);
  if (theme === undefined) return notify('bad', `Use :theme with one of ${themeNames.join(', ')}.`);
  dispatch({ type: 'themeChosen', theme });
  return notify('good', `Theme: ${theme}`);
}

function confirm({ state, dispatch, quit, rowActions, nodes, batches }: CommandContext): void {
  const { overlay } = state();
  if (overlay.kind === 'quitCancel') quit.confirmCancelAll();
  if (overlay.kind !== 'confirm') return;
  dispatch({ type: 'back' });
  if ('batch' in overlay.target) batches.perform(overlay.target);
  else if ('nodes' in overlay.target) nodes.perform(overlay.target);
  else rowActions.perform(overlay.target);
}

const answers: readonly Command[] = [
  command({
    id: 'confirm',
    keys: ['y'],
    contexts: ['confirm', 'quitCancel'],
    help: 'Yes; any other key: no',
    hint: 'yes',
    run: confirm,
  }),
  command({
    id: 'startConfirmed',
    keys: ['y'],
    contexts: ['start'],
    dangerous: true,
    help: 'Start the worker',
    hint: 'yes',
    run: ({ worker }) => worker.start(),
  }),
  command({
    id: 'pauseConfirmed',
    keys: ['y'],
    contexts: ['pause'],
    dangerous: true,
    help: 'Accept no more tasks',
    hint: 'yes',
    run: ({ dispatch, worker }) => {
      dispatch({ type: 'back' });
      worker.pause();
    },
  }),
  command({
    id: 'menuUp',
    keys: ['up'],
    contexts: ['menu'],
    dangerous: true,
    help: 'Previous action of the menu',
    run: (context) => openedMenu(context).moveInMenu(-1),
  }),
  command({
    id: 'menuDown',
    keys: ['down'],
    contexts: ['menu'],
    dangerous: true,
    help: 'Next action of the menu',
    run: (context) => openedMenu(context).moveInMenu(1),
  }),
  command({
    id: 'leave',
    keys: ['l', 'y'],
    contexts: ['quit'],
    help: 'Quit: jobs continue, and the next worker takes them up',
    run: ({ quit }) => quit.leave(),
  }),
  command({
    id: 'keep',
    keys: ['k'],
    contexts: ['quit'],
    dangerous: true,
    help: 'Quit: keep the worker running as a service',
    run: ({ quit }) => quit.keep(),
  }),
  command({
    id: 'cancelAll',
    keys: ['c'],
    contexts: ['quit'],
    dangerous: true,
    help: 'Quit: cancel all runs first, after confirmation',
    run: ({ quit }) => quit.askCancelAll(),
  }),
];

const typing: readonly Command[] = [
  command({
    id: 'filterKeep',
    keys: ['enter'],
    contexts: ['filter'],
    help: 'Keep the filter',
    hint: 'keep',
    run: ({ dispatch }) => dispatch({ type: 'filterKept' }),
  }),
  command({
    id: 'filterClear',
    keys: ['esc'],
    contexts: ['filter'],
    help: 'Clear the filter',
    hint: 'clear',
    run: ({ dispatch }) => dispatch({ type: 'back' }),
  }),
  command({
    id: 'filterErase',
    keys: ['backspace'],
    contexts: ['filter'],
    help: 'Erase a character of the filter',
    run: ({ dispatch }) => dispatch({ type: 'filterErased' }),
  }),
  command({
    id: 'commandRun',
    keys: ['enter'],
    contexts: ['command'],
    help: 'Run the command',
    hint: 'run',
    run: ({ line }) => line.runCommand(),
  }),
  command({
    id: 'paletteUp',
    keys: ['up'],
    contexts: ['command'],
    help: 'Previous matching command',
    run: ({ line }) => line.moveInPalette(-1),
  }),
  command({
    id: 'paletteDown',
    keys: ['down'],
    contexts: ['command'],
    help: 'Next matching command; Enter runs it',
    hint: 'choose',
    run: ({ line }) => line.moveInPalette(1),
  }),
  command({
    id: 'commandComplete',
    keys: ['tab'],
    contexts: ['command'],
    help: 'Complete the word',
    hint: 'complete',
    run: ({ line }) => line.complete(),
  }),
  command({
    id: 'helpSearchKeep',
    keys: ['enter'],
    contexts: ['helpSearch'],
    help: 'Keep what the help is searched for',
    hint: 'keep',
    run: ({ line }) => line.keepHelpSearch(),
  }),
  command({
    id: 'searchRun',
    keys: ['enter'],
    contexts: ['search'],
    help: 'Search; an empty text ends the search',
    hint: 'search',
    run: ({ line }) => line.startSearch(),
  }),
  command({
    id: 'lineCancel',
    keys: ['esc'],
    contexts: ['command', 'search', 'helpSearch'],
    help: 'Cancel',
    hint: 'cancel',
    run: ({ dispatch }) => dispatch({ type: 'back' }),
  }),
  command({
    id: 'lineErase',
    keys: ['backspace'],
    contexts: ['command', 'search', 'helpSearch'],
    help: 'Erase a character',
    run: ({ line }) => line.erase(),
  }),
];

const rowCommands: readonly Command[] = [
  command({
    id: 'log',
    keys: ['l'],
    contexts: jobsAndLog,
    name: 'log',
    aliases: ['logs'],
    help: 'Open or close the log of the selected run or job',
    hint: rowHint('log'),
    run: ({ logs }) => logs.toggle(),
  }),
  command({
    id: 'script',
    keys: ['b'],
    contexts: rowActionContexts,
    name: 'script',
    help: 'Batch script of the selected job',
    hint: ({ place }) => (place.view === 'job' ? 'script' : null),
    run: ({ logs }) => logs.openScript(),
  }),
  command({
    id: 'filterOpen',
    keys: ['/'],
    contexts: tableContexts,
    help: 'Filter: words, /expression/, field=value, !not',
    hint: 'filter',
    run: ({ dispatch }) => dispatch({ type: 'filterOpened' }),
  }),
  command({
    id: 'filter',
    name: 'filter',
    argument: '<words>',
    help: 'Filter the table, like /',
    run: ({ dispatch }, words) => dispatch({ type: 'filterSet', text: words.join(' ') }),
  }),
  ...rowActions.map((action) =>
    command({
      id: action.kind,
      // the one action that also has a key outside of the menu
      ...(action.kind === 'cancel' ? { keys: ['x'], hint: rowHint('cancel') } : {}),
      contexts: rowActionContexts,
      name: action.name,
      aliases: action.aliases,
      argument: action.value?.argument ?? '',
      completions: action.value?.completions ?? [],
      dangerous: true,
      help: action.help,
      run: (context, words) => context.rowActions.ask(action, words),
    }),
  ),
  command({
    id: 'menu',
    keys: ['a'],
    contexts: rowActionContexts,
    dangerous: true,
    help: 'Menu of actions for the selected or marked rows',
    hint: rowHint('actions'),
    run: (context) => context.rowActions.openMenu(),
  }),
  command({
    id: 'nodeMenu',
    keys: ['a'],
    contexts: ['nodes'],
    dangerous: true,
    help: 'Drain or resume the selected or marked nodes',
    hint: 'actions',
    run: ({ nodes }) => nodes.openMenu(),
  }),
  command({
    id: 'details',
    keys: ['enter', 'd'],
    contexts: tableContexts,
    name: 'job',
    aliases: ['details'],
    help: 'Everything about the selected row',
    hint: ({ place }) => (place.view === 'batches' ? 'runs' : 'details'),
    run: (context) => context.tables.open(),
  }),
  command({
    id: 'checkAgain',
    keys: ['r'],
    contexts: ['doctor', 'check'],
    help: 'Run the doctor again: all checks, or the marked ones',
    hint: 'run again',
    run: ({ doctor }) => doctor.runAgain(),
  }),
];

const batchCommands: readonly Command[] = [
  command({
    id: 'batchCancel',
    keys: ['x'],
    contexts: ['batches'],
    dangerous: true,
    help: 'Cancel what is left of the batch, after confirmation',
    hint: 'cancel the rest',
    run: ({ batches }) => batches.ask('cancel'),
  }),
  command({
    id: 'batchRetry',
    keys: ['R'],
    contexts: ['batches'],
    dangerous: true,
    help: 'Retry the failed slides of the batch, after confirmation',
    hint: 'retry failed',
    run: ({ batches }) => batches.ask('retry'),
  }),
  command({
    id: 'batchPage',
    keys: ['b'],
    contexts: ['batches'],
    help: 'Everything about the batch, with its failures by reason',
    hint: 'details',
    run: ({ batches }) => batches.openPage(),
  }),
  command({
    id: 'batchFailures',
    keys: ['f'],
    contexts: ['batches'],
    name: 'failures',
    argument: '[file]',
    help: 'Write the failed slides of the batch to a CSV file',
    hint: 'export failures',
    run: ({ batches }, words) => batches.exportFailures(words),
  }),
];

const logCommands: readonly Command[] = [
  command({
    id: 'focus',
    keys: ['tab'],
    contexts: jobsAndLog,
    help: 'Switch between the table and the open log',
    hint: ({ log }) => (log === null ? null : 'focus'),
    run: ({ dispatch }) => dispatch({ type: 'focusToggled' }),
  }),
  command({
    id: 'follow',
    keys: ['f'],
    contexts: ['log'],
    help: 'Follow the end of the log, or stop following',
    hint: ({ log }) => (log?.end === null ? 'stop following' : 'follow'),
    run: ({ dispatch }) => dispatch({ type: 'followToggled' }),
  }),
  command({
    id: 'search',
    keys: ['/'],
    contexts: searchable,
    help: 'Search the log or page: text, or /expression/',
    hint: 'search',
    run: ({ dispatch }) => dispatch({ type: 'searchOpened' }),
  }),
  command({
    id: 'nextHit',
    keys: ['n'],
    contexts: searchable,
    help: 'Next search hit',
    run: ({ search }) => search.next(1),
  }),
  command({
    id: 'previousHit',
    keys: ['N'],
    contexts: searchable,
    help: 'Previous search hit',
    run: ({ search }) => search.next(-1),
  }),
  command({
    id: 'nextError',
    keys: ['E'],
    contexts: ['log'],
    help: 'Next line of the log that looks like an error',
    hint: 'error',
    run: ({ search }) => search.nextError(),
  }),
  command({
    id: 'stderr',
    keys: ['e'],
    contexts: ['log'],
    name: 'stderr',
    help: 'Show standard error, if it is another file, or output',
    hint: ({ log }) => (log?.isStderr === true ? 'stdout' : 'stderr'),
    run: ({ logs }) => logs.toggleStderr(),
  }),
  command({
    id: 'fullScreen',
    keys: ['F'],
    contexts: ['log'],
    help: 'Full-screen log, or back to the table',
    hint: 'full screen',
    run: ({ dispatch }) => dispatch({ type: 'fullScreenToggled' }),
  }),
  command({
    id: 'wrap',
    keys: ['w'],
    contexts: ['log'],
    help: 'Wrap or truncate long lines of the log',
    run: ({ dispatch }) => dispatch({ type: 'wrapToggled' }),
  }),
  command({
    id: 'timestamps',
    keys: ['t'],
    contexts: ['log'],
    help: 'Show when each line of the log was first seen',
    run: ({ dispatch }) => dispatch({ type: 'timestampsToggled' }),
  }),
  command({
    id: 'pager',
    keys: ['o'],
    name: 'pager',
    help: 'Open the complete log in $PAGER',
    run: ({ logs }) => logs.openInPager(),
  }),
];

const tableCommands: readonly Command[] = [
  command({
    id: 'sortNext',
    keys: ['s'],
    contexts: tableContexts,
    help: 'Sort by the next column; Shift+letter: by that column',
    run: ({ dispatch }) => dispatch({ type: 'sortedNext' }),
  }),
  command({
    id: 'sortReverse',
    keys: ['S'],
    contexts: tableContexts,
    help: 'Reverse the order',
    run: (context) => context.tables.reverseSort(),
  }),
  command({
    id: 'sort',
    name: 'sort',
    argument: '<column> [desc]',
    completions: 'columns',
    help: 'Sort by a column; without one, in default order',
    run: (context, words) => context.tables.sortByName(words),
  }),
  command({
    id: 'columns',
    name: 'columns',
    argument: '<a,b,c>',
    completions: 'columns',
    help: 'Show only these columns; without any, the default ones',
    run: (context, words) => context.tables.chooseColumns(words),
  }),
  command({
    id: 'mark',
    keys: ['space'],
    contexts: tableContexts,
    help: 'Mark or unmark the row',
    run: ({ dispatch }) => dispatch({ type: 'markToggled' }),
  }),
  command({
    id: 'markRange',
    keys: ['v'],
    contexts: tableContexts,
    help: 'Mark all rows from the last mark to here',
    run: ({ dispatch }) => dispatch({ type: 'rangeMarked' }),
  }),
  command({
    id: 'markAll',
    keys: ['*'],
    contexts: tableContexts,
    help: 'Mark all visible rows, or unmark them',
    run: ({ dispatch }) => dispatch({ type: 'allMarked' }),
  }),
  command({
    id: 'wide',
    keys: ['w', 'ctrl-w'],
    contexts: tableContexts,
    name: 'wide',
    help: 'Pack columns densely so that more fit, or undo that',
    run: (context) => context.tables.toggleWide(),
  }),
  command({
    id: 'pane',
    keys: ['i'],
    contexts: tableContexts,
    name: 'pane',
    help: 'Show or hide the pane beside the table (120 columns)',
    hint: ({ size, log, pane }) =>
      size.columns < sideBySideColumns || log !== null ? null : pane ? 'hide pane' : 'pane',
    run: ({ dispatch }) => dispatch({ type: 'paneToggled' }),
  }),
  command({
    id: 'scopeNext',
    keys: ['m'],
    contexts: ['table'],
    help: 'List own jobs, only jobs from Girder, or all jobs',
    hint: 'scope',
    run: (context) => {
      const at = jobScopes.indexOf(context.state().scope);
      chooseScope(context, jobScopes[(at + 1) % jobScopes.length]);
    },
  }),
  command({
    id: 'scope',
    name: 'scope',
    argument: 'mine|dsa|all',
    completions: jobScopes,
    help: 'List own jobs, only jobs from Girder, or all jobs',
    run: (context, [word]) => chooseScope(context, word),
  }),
  command({
    id: 'errors',
    keys: ['e'],
    contexts: tableContexts,
    name: 'errors',
    help: 'Show only errors, or everything',
    run: ({ dispatch }) => dispatch({ type: 'errorsToggled' }),
  }),
  command({
    id: 'copy',
    keys: ['y'],
    name: 'copy',
    argument: '[paths]',
    completions: ['paths'],
    help: 'Copy ids of selected or marked rows, or their log paths',
    run: ({ tables, logs }, [word]) => (word === 'paths' ? logs.copyPaths() : tables.copyIds()),
  }),
  command({
    id: 'copyPaths',
    keys: ['Y'],
    help: 'Copy the log paths of the selected or marked rows',
    run: ({ logs }) => logs.copyPaths(),
  }),
  command({
    id: 'export',
    name: 'export',
    argument: 'csv|json [file]',
    completions: ['csv', 'json'],
    help: 'Write the visible rows to a file',
    run: (context, words) => context.tables.exportRows(words),
  }),
  command({
    id: 'scheduler',
    keys: ['D'],
    contexts: ['page'],
    name: 'sdiag',
    aliases: ['scheduler'],
    help: 'Statistics of the scheduler (sdiag)',
    hint: ({ place, snapshot }) =>
      place.view === 'worker' && snapshot.executor === 'slurm' ? 'sdiag' : null,
    run: ({ state, dispatch }) => {
      if (state().place.view !== 'scheduler')
        dispatch({ type: 'navigated', place: { view: 'scheduler', top: 0 }, deeper: true });
    },
  }),
  command({
    id: 'accounting',
    name: 'sacct',
    aliases: ['accounting'],
    help: 'Jobs of this user in the last day, also those that the worker did not start (sacct)',
    run: ({ state, dispatch }) => {
      if (state().place.view !== 'accounting')
        dispatch({ type: 'navigated', place: { view: 'accounting', top: 0 }, deeper: true });
    },
  }),
  command({
    id: 'refresh',
    keys: ['r'],
    contexts: ['page'],
    help: 'Query the job of this page again',
    hint: ({ place }) => (place.view === 'job' || place.view === 'script' ? 'refresh' : null),
    run: ({ dispatch }) => dispatch({ type: 'refreshRequested' }),
  }),
];

const workerCommands: readonly Command[] = [
  command({
    id: 'start',
    keys: ['u'],
    name: 'start',
    dangerous: true,
    help: 'Start a worker, if none is running',
    pinned: true,
    hint: ({ canStart, snapshot }) => (canStart && isWorkerMissing(snapshot) ? 'start worker' : null),
    run: ({ worker }) => worker.askStart(),
  }),
  command({
    id: 'freeze',
    keys: ['z'],
    name: 'freeze',
    help: 'Freeze or unfreeze the screen',
    run: ({ dispatch }) => dispatch({ type: 'freezeToggled' }),
  }),
  command({
    id: 'mouse',
    name: 'mouse',
    help: 'Use the mouse, or not: tabs, rows, the wheel; Shift selects text',
    run: ({ state, dispatch, notify }) => {
      dispatch({ type: 'mouseToggled' });
      notify('good', state().mouse ? 'Mouse on; hold Shift to select text.' : 'Mouse off.');
    },
  }),
  command({
    id: 'themeNext',
    keys: ['T'],
    help: 'Next theme: dark, light, high contrast, plain 16 colors',
    hint: 'theme',
    run: (context) => {
      const at = themeNames.findIndex((one) => one === context.state().theme);
      chooseTheme(context, themeNames[(at + 1) % themeNames.length]);
    },
  }),
  command({
    id: 'theme',
    name: 'theme',
    argument: 'dark|light|contrast|plain',
    completions: themeNames,
    help: 'Choose a theme',
    run: (context, [word]) => chooseTheme(context, word),
  }),
  command({
    id: 'pollLessOften',
    keys: ['+'],
    help: 'Query job states less often',
    run: ({ worker }) => worker.pollLessOften(),
  }),
  command({
    id: 'pollMoreOften',
    keys: ['-'],
    help: 'Query job states more often, as far as the site allows',
    run: ({ worker }) => worker.pollMoreOften(),
  }),
  command({
    id: 'togglePause',
    keys: ['p'],
    dangerous: true,
    help: 'Pause or resume accepting tasks; asks before it pauses',
    hint: ({ snapshot }) => (snapshot.health.intake === 'paused' ? 'resume' : 'pause'),
    run: ({ worker }) => worker.togglePause(),
  }),
  command({
    id: 'pause',
    name: 'pause',
    dangerous: true,
    help: 'Stop accepting tasks',
    run: ({ worker }) => worker.pause(),
  }),
  command({
    id: 'resume',
    name: 'resume',
    dangerous: true,
    help: 'Accept tasks again; on :nodes, resume a node',
    run: ({ state, nodes, worker }) => (isNodePlace(state()) ? nodes.ask('resume', []) : worker.resume()),
  }),
  command({
    id: 'drain',
    name: 'drain',
    dangerous: true,
    argument: '[reason]',
    help: 'Stop accepting tasks; on :nodes, drain a node',
    run({ state, nodes, worker, notify }, words) {
      if (isNodePlace(state())) nodes.ask('drain', words);
      else if (words.length === 0) worker.drain();
      else notify('warning', 'Only nodes are drained with a reason: go to :nodes first.');
    },
  }),
  command({
    id: 'commandOpen',
    keys: [':'],
    help: 'Enter a command',
    hint: 'command',
    run: ({ dispatch }) => dispatch({ type: 'commandOpened' }),
  }),
];

const viewTexts: Readonly<Record<(typeof tableNames)[number], { help: string; aliases: readonly string[] }>> =
  {
    jobs: { help: 'Runs and jobs', aliases: ['runs'] },
    batches: { help: 'Runs that were started together', aliases: ['batch'] },
    nodes: { help: 'Nodes of the cluster', aliases: ['node'] },
    partitions: { help: 'Partitions of the cluster', aliases: ['partition'] },
    history: { help: 'Finished runs and how long they took', aliases: ['finished'] },
    images: { help: 'Image files and which runs use them', aliases: ['sif'] },
    doctor: { help: 'Check for problems and how to fix them', aliases: ['checks'] },
  };

const viewCommands: readonly Command[] = [
  ...tableNames.map((view, index) =>
    command({
      id: view,
      keys: [String(index + 1)],
      name: view,
      ...viewTexts[view],
      run: ({ dispatch, doctor }) => {
        dispatch({ type: 'navigated', place: { view } });
        if (view === 'doctor') doctor.opened();
      },
    }),
  ),
  command({
    id: 'worker',
    keys: [String(tableNames.length + 1), 'W'],
    name: 'worker',
    help: 'State of the worker',
    run: ({ dispatch }) => dispatch({ type: 'navigated', place: { view: 'worker', top: 0 } }),
  }),
];

const navigation: readonly Command[] = [
  move('up', ['up', 'k'], 'One line up'),
  move('down', ['down', 'j'], 'One line down'),
  move('pageUp', ['pgup', 'ctrl-b'], 'One page up'),
  move('pageDown', ['pgdn', 'ctrl-f'], 'One page down'),
  move('first', ['g', 'home'], 'To the first line'),
  move('last', ['G', 'end'], 'To the last line; follows a log again'),
  command({
    id: 'helpSearch',
    keys: ['/'],
    contexts: ['help'],
    help: 'Search the help',
    hint: 'search',
    run: ({ dispatch }) => dispatch({ type: 'helpSearched', query: '', typing: true }),
  }),
  command({
    id: 'help',
    keys: ['?'],
    contexts: scrollable,
    name: 'help',
    help: 'Open or close this help',
    hint: 'help',
    pinned: true,
    run: toggleHelp,
  }),
  command({
    id: 'back',
    keys: ['esc'],
    contexts: scrollable,
    help: 'Back; first ends a search or clears filter and marks',
    pinned: true,
    hint: ({ overlay, place, log }) => {
      if (overlay.kind === 'help') return 'close';
      return place.view === 'jobs' && log === null ? null : 'back';
    },
    run: ({ dispatch }) => dispatch({ type: 'back' }),
  }),
  command({
    id: 'quit',
    keys: ['q'],
    contexts: scrollable,
    name: 'quit',
    aliases: ['q', 'exit'],
    help: 'Quit; jobs continue',
    hint: 'quit',
    pinned: true,
    run: ({ quit }) => quit.ask(),
  }),
  command({
    id: 'interrupt',
    keys: ['ctrl-c'],
    contexts,
    help: 'Quit; twice: without a question',
    run: ({ state, quit }) =>
      ['quit', 'quitCancel'].includes(state().overlay.kind) ? quit.leave() : quit.ask(),
  }),
];

/**
 * Every command. Keys, the `:` line with its completion, the footer, the help and the read-only mode are all derived from
 * this table. The footer shows hints in this order.
 */
export const commandTable: readonly Command[] = [
  ...answers,
  ...typing,
  ...batchCommands,
  ...rowCommands,
  ...logCommands,
  ...tableCommands,
  ...workerCommands,
  ...viewCommands,
  ...navigation,
];

/** The commands with keys in a context, in table order. */
export function commandsIn(context: Context, readOnly: boolean): readonly Command[] {
  return commandTable.filter(
    ({ keys, contexts, dangerous }) =>
      keys.length > 0 && contexts.includes(context) && !(readOnly && dangerous),
  );
}

export function commandForKey(key: string, context: Context, readOnly: boolean): Command | null {
  return commandsIn(context, readOnly).find(({ keys }) => keys.includes(key)) ?? null;
}
