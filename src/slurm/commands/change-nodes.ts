import type { CommandOptions, RunCommand } from '../../base/command.js';
import { DsaSlurmError } from '../../base/errors.js';
import { runCalls, type CommandOutcome, type SlurmCall } from './batch-command.js';

/** Changes to nodes. Slurm allows them to operators and administrators only. */
export type NodeChange =
  /** Starts no more jobs there; running ones continue. Slurm requires the reason. */
  | { kind: 'drain'; reason: string }
  /** Returns drained and down nodes to service. */
  | { kind: 'resume' };

/** Maximum number of nodes in one change; more would be a mistake. */
export const maxNodes = 100;
export const maxReasonLength = 200;

/** A single name: scontrol also accepts lists, ranges and `ALL`. */
const nodeName = /^(?!all$)[\da-z][\w.-]{0,254}$/iu;

/**
 * The scontrol call that applies a change to `nodes`.
 * @throws DsaSlurmError `usage` if a name or the reason is not valid
 */
export function nodeChangeCommand(change: NodeChange, nodes: readonly string[]): SlurmCall {
  if (nodes.length === 0 || nodes.length > maxNodes || !nodes.every((name) => nodeName.test(name))) {
    throw new DsaSlurmError('usage', 'Those are not names of nodes.', {
      next: `Name 1 to ${maxNodes} nodes as sinfo lists them.`,
    });
  }
  const target = ['update', `NodeName=${nodes.join(',')}`];
  if (change.kind === 'resume') return { file: 'scontrol', args: [...target, 'State=RESUME'] };
  const reason = change.reason.trim();
  // scontrol removes double quotes at both ends
  if (reason === '' || reason.length > maxReasonLength || /[\p{Cc}"]/u.test(reason)) {
    throw new DsaSlurmError('usage', 'Slurm needs a reason to drain a node.', {
      next: `It must have 1 to ${maxReasonLength} characters, without double quotes.`,
    });
  }
  return { file: 'scontrol', args: [...target, 'State=DRAIN', `Reason=${reason}`] };
}

/**
 * Changes nodes with one call. Slurm's refusal is returned unchanged.
 * @throws as {@link nodeChangeCommand}
 */
export async function changeNodes(
  run: RunCommand,
  change: NodeChange,
  nodes: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutcome> {
  return runCalls(run, [nodeChangeCommand(change, [...new Set(nodes)])], options);
}
