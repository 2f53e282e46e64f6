import type { Context } from '../../state/state.js';
import type { Command } from '../command.js';

/** Contexts that share keys. */
export const tableContexts: readonly Context[] = ['table', 'list', 'batches', 'nodes', 'doctor'];
export const jobsAndLog: readonly Context[] = ['table', 'log'];
export const rowActionContexts: readonly Context[] = [...jobsAndLog, 'page'];
export const searchable: readonly Context[] = ['log', 'page', 'item', 'check'];
const views: readonly Context[] = [...tableContexts, ...searchable];
export const scrollable: readonly Context[] = [...views, 'help'];

type CommandParts = Pick<Command, 'id' | 'help' | 'run'> &
  Partial<Omit<Command, 'hint'>> & { hint?: string | NonNullable<Command['hint']> };

/** A command; what is left out has the value that most commands have. */
export function command({ hint, ...parts }: CommandParts): Command {
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
