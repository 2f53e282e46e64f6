import type { ConsoleState } from '../../state/state.js';
import type { Command } from '../command.js';
import { rowActions } from '../row-actions.js';
import { command, jobsAndLog, rowActionContexts, tableContexts } from './definition.js';

/** A hint that is only shown where there is a run or job. */
function rowHint(hint: string): (state: ConsoleState) => string | null {
  return ({ place }) => (place.view === 'jobs' || place.view === 'job' ? hint : null);
}

/** What can be done with the selected or marked rows. */
export const rowCommands: readonly Command[] = [
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

export const batchCommands: readonly Command[] = [
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
