import { nodeActions, whyNotNodes } from '../commands/node-actions.js';
import { actionsFor, whyNot } from '../commands/row-actions.js';
import { actionRows, isNodePlace, targetNodes, type ConsoleState } from '../state/state.js';
import { cleanText } from '../terminal/text.js';
import { span, type Line } from '../terminal/theme.js';

interface MenuEntry {
  key: string;
  label: string;
  help: string;
  /** Why it cannot work here; null if it may. */
  problem: string | null;
}

/** The actions of the view on screen. */
function menuEntries(state: ConsoleState): MenuEntry[] {
  if (isNodePlace(state)) {
    const nodes = targetNodes(state);
    return nodeActions.map((action) => {
      const problem = whyNotNodes(action, nodes, state.nodesRefused);
      const { kind, key, help } = action;
      return { key, label: kind, help, problem: problem === null ? null : cleanText(problem) };
    });
  }
  const rows = actionRows(state);
  return actionsFor(state.snapshot.executor).map((action) => {
    const { key, label, help } = action;
    return { key, label, help, problem: whyNot(action, rows) };
  });
}

/** Rows of the menu without its border: one per action, or five where the terminal is low. */
export function menuRows(state: ConsoleState, room: number): number {
  const rows = (isNodePlace(state) ? nodeActions : actionsFor(state.snapshot.executor)).length + 2;
  return rows <= room - 2 ? rows : 5;
}

/** The actions with their keys. Those that cannot work for these rows are dim and say why. */
export function menuLines(state: ConsoleState, target: string, height: number, width: number): Line[] {
  const { overlay } = state;
  const index = overlay.kind === 'menu' ? overlay.index : -1;
  const title: Line = { spans: [span(`Choose an action for ${target}:`, 'strong')] };
  const entries = menuEntries(state);
  if (height < entries.length + 2) return [title, ...packedLines(entries, width)];
  return [
    title,
    ...entries.map(({ key, label, help, problem }, at): Line => {
      const name = label.padEnd(11);
      return problem === null
        ? {
            spans: [span(` ${key}  `, 'accent'), span(name), span(help, 'muted')],
            selected: at === index,
          }
        : { spans: [span(` ${key}  ${name}${problem}`, 'faded')] };
    }),
    {
      spans: [span('Enter', 'accent'), span(' or its key does it, '), span('Esc', 'accent'), span(' closes')],
    },
  ];
}

/** Four lines of keys in columns. */
function packedLines(actions: readonly MenuEntry[], width: number): Line[] {
  const entries = [
    ...actions.map(({ key, label, problem }) => ({ key, label, works: problem === null })),
    { key: 'Esc', label: 'close', works: true },
  ];
  const columns = Math.ceil(entries.length / 4);
  const cell = Math.min(18, Math.floor(width / columns));
  return [0, 1, 2, 3].map((line) => ({
    spans: entries.slice(line * columns, (line + 1) * columns).flatMap(({ key, label, works }) => {
      const text = ` ${label}`.padEnd(cell - key.length);
      return works ? [span(key, 'accent'), span(text)] : [span(`${key}${text}`, 'faded')];
    }),
  }));
}
