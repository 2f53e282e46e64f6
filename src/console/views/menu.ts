import type { WorkerSnapshot } from '../../worker/views/handle.js';
import { actionsFor, whyNot } from '../commands/row-actions.js';
import { actionRows, type ConsoleState } from '../state/state.js';
import { span, type Line } from '../terminal/theme.js';

/** Rows of the menu without its border: one per action, or five where the terminal is low. */
export function menuRows(executor: WorkerSnapshot['executor'], room: number): number {
  const rows = actionsFor(executor).length + 2;
  return rows <= room - 2 ? rows : 5;
}

/** The actions with their keys. Those that cannot work for these rows are dim and say why. */
export function menuLines(state: ConsoleState, target: string, height: number, width: number): Line[] {
  const { overlay, snapshot } = state;
  const rows = actionRows(state);
  const index = overlay.kind === 'menu' ? overlay.index : -1;
  const title: Line = { spans: [span(`Choose an action for ${target}:`, 'strong')] };
  const actions = actionsFor(snapshot.executor);
  if (height <= 5) return [title, ...packedLines(state, width)];
  return [
    title,
    ...actions.map((action, at): Line => {
      const problem = whyNot(action, rows);
      const name = action.label.padEnd(11);
      return problem === null
        ? {
            spans: [span(` ${action.key}  `, 'accent'), span(name), span(action.help, 'muted')],
            selected: at === index,
          }
        : { spans: [span(` ${action.key}  ${name}${problem}`, 'faded')] };
    }),
    {
      spans: [span('Enter', 'accent'), span(' or its key does it, '), span('Esc', 'accent'), span(' closes')],
    },
  ];
}

/** Four lines of keys in columns. */
function packedLines(state: ConsoleState, width: number): Line[] {
  const rows = actionRows(state);
  const entries = [
    ...actionsFor(state.snapshot.executor).map((action) => ({
      key: action.key,
      label: action.label,
      works: whyNot(action, rows) === null,
    })),
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
