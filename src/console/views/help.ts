import { commandsFor } from '../commands/command-line.js';
import { actionsOf, rowActions } from '../commands/row-actions.js';
import { bindingsFor, keyLabel, keyTable, type Context, type KeyBinding } from '../commands/keys.js';
import type { ConsoleState } from '../state/state.js';
import { span, type Line } from '../terminal/theme.js';

const sections: readonly [title: string, contexts: readonly Context[]][] = [
  ['Tables, log and pages', ['table', 'list', 'doctor', 'log', 'page', 'item', 'check']],
  ['Filter', ['filter']],
  ['Command and search', ['command', 'search']],
  ['Questions', ['confirm', 'quit', 'quitCancel']],
];

/** The help, made from the key table. */
export function helpLines({
  readOnly,
  snapshot,
}: Pick<ConsoleState, 'readOnly'> & {
  snapshot: Pick<ConsoleState['snapshot'], 'executor'>;
}): readonly Line[] {
  const told = new Set<KeyBinding>();
  const lines: Line[] = [];
  for (const [title, contexts] of sections) {
    const bindings = keyTable.filter(
      (one) => !told.has(one) && contexts.some((context) => bindingsFor(context, readOnly).includes(one)),
    );
    if (lines.length > 0) lines.push({ spans: [] });
    lines.push({ spans: [span(` ${title}`, 'strong')] });
    for (const one of bindings) {
      told.add(one);
      lines.push({
        spans: [span(`   ${one.keys.map(keyLabel).join(' ')}`.padEnd(24), 'accent'), span(one.description)],
      });
    }
  }
  const can = actionsOf(snapshot.executor);
  if (!readOnly) {
    lines.push({ spans: [] }, { spans: [span(' Actions', 'strong')] });
    for (const { key, description } of can)
      lines.push({ spans: [span(`   a ${key}`.padEnd(24), 'accent'), span(description)] });
  }
  lines.push({ spans: [] }, { spans: [span(' Commands', 'strong')] });
  const cannot = new Set(rowActions.filter((one) => !can.includes(one)).map(({ name }) => name));
  for (const { name, argument, description } of commandsFor(readOnly)) {
    if (cannot.has(name)) continue;
    lines.push({
      spans: [
        span(`   :${name}${argument === '' ? '' : ` ${argument}`}`.padEnd(24), 'accent'),
        span(` ${description}`),
      ],
    });
  }
  if (readOnly) {
    lines.push(
      { spans: [] },
      { spans: [span(' Read-only: nothing here acts on jobs or on the worker.', 'warning')] },
    );
  }
  return lines;
}
