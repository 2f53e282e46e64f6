import type { Context } from '../state/state.js';
import type { Command } from './command.js';
import { logCommands } from './table/logs.js';
import { navigation, viewCommands } from './table/navigation.js';
import { answers } from './table/questions.js';
import { batchCommands, rowCommands } from './table/rows.js';
import { tableCommands } from './table/tables.js';
import { typing } from './table/typing.js';
import { workerCommands } from './table/worker.js';

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
