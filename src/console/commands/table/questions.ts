import { isNodePlace } from '../../state/state.js';
import type { ActionMenu, Command, CommandContext } from '../command.js';
import { command } from './definition.js';

/** The menu for the view on screen. */
export function openedMenu({ state, nodes, rowActions }: CommandContext): ActionMenu {
  return isNodePlace(state()) ? nodes : rowActions;
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

/** Answers to questions and menus. */
export const answers: readonly Command[] = [
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
