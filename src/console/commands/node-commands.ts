import { errorLine } from '../../base/errors.js';
import { nodeChangeCommand, type NodeChange } from '../../slurm/commands/change-nodes.js';
import type { WorkerHandle } from '../../worker/views/handle.js';
import type { Store } from '../state/action.js';
import { targetNodes } from '../state/state.js';
import { pluralize } from '../views/format.js';
import type { NodeCommands, Notify, ShowAnswer } from './command.js';
import { nodeActions, whyNotNodes, type NodeAction } from './node-actions.js';

interface NodeCommandOptions {
  handle: WorkerHandle;
  store: Store;
  notify: Notify;
  showAnswer: ShowAnswer;
}

/** Slurm's messages for users who may not change nodes (`ESLURM_ACCESS_DENIED`, `ESLURM_USER_ID_MISSING`). */
const notAllowed = /permission denied|invalid user id/iu;

export function createNodeCommands({ handle, store, notify, showAnswer }: NodeCommandOptions): NodeCommands {
  const whyNot = (action: NodeAction): string | null => {
    const state = store.get();
    return whyNotNodes(action, targetNodes(state), state.nodesRefused);
  };

  const ask: NodeCommands['ask'] = (kind, words) => {
    const action = nodeActions.find((one) => one.kind === kind);
    const nodes = targetNodes(store.get());
    if (action === undefined || nodes.length === 0) return notify('warning', `Select a node to ${kind}.`);
    const reason = words.join(' ').trim();
    if (kind === 'drain' && reason === '') {
      return notify('warning', 'Slurm needs a reason to drain a node: :drain <reason>');
    }
    const [first, ...others] = nodes.filter((node) => action.appliesTo(node));
    if (first === undefined) {
      const what = nodes.length === 1 ? `${nodes[0]?.name ?? ''} is` : 'all marked nodes are';
      return notify('warning', `Nothing to ${kind}: ${what} ${action.otherwise}.`);
    }
    const change: NodeChange = kind === 'drain' ? { kind, reason } : { kind };
    try {
      nodeChangeCommand(
        change,
        [first, ...others].map(({ name }) => name),
      );
    } catch (thrown) {
      return notify('bad', errorLine(thrown));
    }
    const skipped = nodes.length - 1 - others.length;
    return store.dispatch({
      type: 'confirmOpened',
      target: { change, nodes: [first, ...others], skipped },
    });
  };

  return {
    ask,
    perform({ change, nodes }) {
      const name = nodes.length === 1 ? nodes[0].name : pluralize(nodes.length, 'node');
      notify('warning', `${change.kind === 'drain' ? 'Drain' : 'Resume'} ${name} …`);
      showAnswer(async () => {
        const { ok, message } = await handle.changeNodes(
          change,
          nodes.map((node) => node.name),
        );
        const answer = message.trim() || (ok ? 'accepted' : 'refused without a reason');
        if (!ok && notAllowed.test(message)) store.dispatch({ type: 'nodesRefused', message: answer });
        const done = change.kind === 'drain' ? 'Drain' : 'Resume';
        const refused = change.kind === 'drain' ? 'Not drained,' : 'Not resumed,';
        return { ok, message: `${ok ? done : refused} ${name}: ${answer}` };
      });
    },
    openMenu() {
      if (targetNodes(store.get()).length === 0) return notify('warning', 'Select a node first.');
      const first = nodeActions.findIndex((action) => whyNot(action) === null);
      return store.dispatch({ type: 'menuOpened', index: Math.max(0, first) });
    },
    choose(key) {
      const { overlay } = store.get();
      const action =
        key === 'enter' && overlay.kind === 'menu'
          ? nodeActions[overlay.index]
          : nodeActions.find((one) => one.key === key);
      const problem = action === undefined ? null : whyNot(action);
      if (action !== undefined && problem !== null) {
        return notify('warning', `Cannot ${action.kind} here: ${problem}.`);
      }
      store.dispatch({ type: 'back' });
      if (action?.kind === 'drain') store.dispatch({ type: 'commandOpened', text: 'drain ' });
      else if (action !== undefined) ask(action.kind, []);
    },
    moveInMenu(direction) {
      const { overlay } = store.get();
      if (overlay.kind !== 'menu') return;
      const index = overlay.index + direction;
      const action = nodeActions[index];
      if (action !== undefined && whyNot(action) === null) store.dispatch({ type: 'menuOpened', index });
    },
  };
}
