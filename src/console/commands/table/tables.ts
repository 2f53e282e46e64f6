import { sideBySideColumns } from '../../state/layout.js';
import { jobScopes } from '../../state/rows.js';
import type { Command, CommandContext } from '../command.js';
import { command, tableContexts } from './definition.js';

function chooseScope({ state, dispatch, notify }: CommandContext, word: string | undefined): void {
  const scope = jobScopes.find((one) => one === word);
  if (scope === undefined) return notify('bad', `Use :scope with one of ${jobScopes.join(', ')}.`);
  if (state().place.view !== 'jobs') dispatch({ type: 'navigated', place: { view: 'jobs' } });
  return dispatch({ type: 'scopeChosen', scope });
}

/** How a table is sorted, marked and exported. */
export const tableCommands: readonly Command[] = [
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
