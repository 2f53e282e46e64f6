import type { NodeChange } from '../../slurm/commands/change-nodes.js';
import type { NodeRow } from '../../slurm/commands/sinfo.js';
import { isDrained, isUnavailable } from '../views/tables/node-facts.js';

/** An action on nodes. The menu and the `:` commands are derived from it. */
export interface NodeAction {
  kind: NodeChange['kind'];
  /** Key in the menu. */
  key: string;
  help: string;
  appliesTo(node: NodeRow): boolean;
  /** Why it does not apply. */
  otherwise: string;
}

export const nodeActions: readonly NodeAction[] = [
  {
    kind: 'drain',
    key: 'd',
    help: 'Start no more jobs there; asks for the reason',
    appliesTo: ({ state }) => !isDrained(state),
    otherwise: 'drained already',
  },
  {
    kind: 'resume',
    key: 'r',
    help: 'Return it to service',
    appliesTo: ({ state }) => isUnavailable(state),
    otherwise: 'neither drained nor down',
  },
];

/** Why an action cannot work; null if it may. @param refused Slurm's refusal of an earlier change */
export function whyNotNodes(
  { appliesTo, otherwise }: NodeAction,
  nodes: readonly NodeRow[],
  refused: string | null,
): string | null {
  return nodes.some(appliesTo) ? refused : otherwise;
}
