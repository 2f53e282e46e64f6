import { namedCommands } from '../commands/command-line.js';
import { commandsIn, commandTable } from '../commands/command-table.js';
import type { Command } from '../commands/command.js';
import { actionsFor, rowActions } from '../commands/row-actions.js';
import type { ConsoleState, Context } from '../state/state.js';
import { keyLabel } from '../terminal/keys.js';
import { span, type Line } from '../terminal/theme.js';

const sections: readonly [title: string, contexts: readonly Context[]][] = [
  ['Tables, log and pages', ['table', 'list', 'batches', 'doctor', 'log', 'page', 'item', 'check']],
  ['Filter', ['filter']],
  ['Command and search', ['command', 'search']],
  ['Questions', ['menu', 'confirm', 'start', 'pause', 'quit', 'quitCancel']],
];

type HelpInput = Pick<ConsoleState, 'readOnly'> & {
  snapshot: Pick<ConsoleState['snapshot'], 'executor'>;
};

/** Keys by context, the menu of actions, and the `:` commands. */
export function helpLines({ readOnly, snapshot: { executor } }: HelpInput): readonly Line[] {
  const actions = actionsFor(executor);
  const unsupported = new Set(rowActions.filter((one) => !actions.includes(one)).map(({ name }) => name));
  const commands = namedCommands(readOnly).filter(({ name }) => !unsupported.has(name));
  return [
    ...keySections(readOnly),
    ...(readOnly
      ? []
      : [blank, heading('Actions'), ...actions.map(({ key, help }) => entry(`a ${key}`, help))]),
    blank,
    heading('Commands'),
    ...commands.map(({ name, argument, help }) => entry(`:${name} ${argument}`.trimEnd(), ` ${help}`)),
    ...(readOnly
      ? [blank, { spans: [span(' Read-only: no command affects jobs or the worker.', 'warning')] }]
      : []),
  ];
}

function keySections(readOnly: boolean): Line[] {
  const listed = new Set<Command>();
  return sections.flatMap(([title, contexts], index) => {
    const available = new Set(contexts.flatMap((context) => commandsIn(context, readOnly)));
    const commands = commandTable.filter((one) => available.has(one) && !listed.has(one));
    for (const one of commands) listed.add(one);
    return [
      ...(index === 0 ? [] : [blank]),
      heading(title),
      ...commands.map(({ keys, help }) => entry(keys.map(keyLabel).join(' '), help)),
    ];
  });
}

const blank: Line = { spans: [] };

function heading(title: string): Line {
  return { spans: [span(` ${title}`, 'strong')] };
}

function entry(label: string, text: string): Line {
  return { spans: [span(`   ${label}`.padEnd(24), 'accent'), span(text)] };
}
