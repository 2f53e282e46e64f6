import type { CursorMove } from '../../state/cursor-movement.js';
import { contexts, tableNames } from '../../state/state.js';
import type { Command, CommandContext } from '../command.js';
import { command, scrollable } from './definition.js';

function move(direction: CursorMove, keys: readonly string[], help: string): Command {
  return command({
    id: direction,
    keys,
    contexts: scrollable,
    help,
    run: ({ dispatch }) => dispatch({ type: 'cursorMoved', move: direction }),
  });
}

function toggleHelp({ state, dispatch }: CommandContext): void {
  dispatch({ type: state().overlay.kind === 'help' ? 'back' : 'helpOpened' });
}

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

export const viewCommands: readonly Command[] = [
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

export const navigation: readonly Command[] = [
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
    id: 'suspend',
    keys: ['ctrl-z'],
    contexts: scrollable,
    name: 'suspend',
    help: 'Back to the shell; `fg` continues here',
    run({ host, notify }) {
      if (host.suspend === undefined)
        notify('warning', 'Ctrl-Z would also stop the worker, which runs in this console.');
      else void host.suspend();
    },
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
