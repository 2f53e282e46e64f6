import { namedCommands } from '../commands/command-line.js';
import { commandsIn, commandTable } from '../commands/command-table.js';
import type { Command } from '../commands/command.js';
import { actionsFor, rowActions } from '../commands/row-actions.js';
import { contextBelow, type ConsoleState, type Context } from '../state/state.js';
import { spansWidth } from '../terminal/line-layout.js';
import { keyLabel } from '../terminal/keys.js';
import { wrapWords } from '../terminal/text.js';
import { span, type Line } from '../terminal/theme.js';

/** A key or command, and what it does. */
interface Entry {
  label: string;
  text: string;
}

interface Section {
  title: string;
  entries: readonly Entry[];
}

/** From this width, two sections are side by side. */
const twoColumns = 100;

/** The other contexts that have keys of their own. */
const otherContexts: readonly [title: string, contexts: readonly Context[]][] = [
  ['While typing', ['filter', 'command', 'search', 'helpSearch']],
  ['In the menu and in questions', ['menu', 'confirm', 'start', 'pause', 'quit', 'quitCancel']],
];

/** Contexts that any of the keys under "Everywhere" works in. */
const everywhereContexts: readonly Context[] = ['table', 'list', 'log', 'page'];

/**
 * The keys of the view below the help beside those that work everywhere, then the actions and the `:` commands. With a query,
 * only the entries that contain it.
 */
export function helpLines(state: ConsoleState): readonly Line[] {
  const { readOnly, overlay, size } = state;
  const query = overlay.kind === 'help' ? overlay.query.toLowerCase() : '';
  const matching = ({ title, entries }: Section): Section => ({
    title,
    entries: entries.filter(({ label, text }) => `${label} ${text}`.toLowerCase().includes(query)),
  });
  const [here, everywhere] = keySections(state);
  const pairs: readonly (readonly Section[])[] = [
    [here, everywhere],
    [actionSection(state), commandSection(state)],
    otherSections(readOnly),
  ];
  const width = size.columns;
  const lines = pairs.flatMap((pair) => {
    const sections = pair.map(matching).filter(({ entries }) => entries.length > 0);
    return width >= twoColumns
      ? sideBySide(sections, width)
      : sections.flatMap((one) => sectionLines(one, width));
  });
  const shown = lines.length === 0 ? [{ spans: [span(` Nothing contains "${query}".`, 'muted')] }] : lines;
  return readOnly
    ? [...shown, { spans: [span(' Read-only: no command affects jobs or the worker.', 'warning')] }]
    : shown;
}

function isEverywhere({ contexts }: Command): boolean {
  return everywhereContexts.every((context) => contexts.includes(context));
}

function keySections(state: ConsoleState): readonly [Section, Section] {
  const below = contextBelow(state);
  const commands = commandsIn(below, state.readOnly);
  return [
    {
      title: `This view: ${state.place.view}`,
      entries: keyEntries(commands.filter((one) => !isEverywhere(one))),
    },
    { title: 'Everywhere', entries: keyEntries(commands.filter(isEverywhere)) },
  ];
}

function otherSections(readOnly: boolean): Section[] {
  return otherContexts.map(([title, contexts]) => {
    const available = new Set(contexts.flatMap((context) => commandsIn(context, readOnly)));
    const own = commandTable.filter((one) => available.has(one) && !one.contexts.includes('table'));
    return { title, entries: keyEntries(own) };
  });
}

function keyEntries(commands: readonly Command[]): Entry[] {
  return commands.map(({ keys, help }) => ({ label: keys.map(keyLabel).join(' '), text: help }));
}

function actionSection({ readOnly, snapshot: { executor } }: ConsoleState): Section {
  const entries = readOnly
    ? []
    : actionsFor(executor).map(({ key, help }) => ({ label: `a ${key}`, text: help }));
  return { title: 'Actions on runs and jobs', entries };
}

function commandSection({ readOnly, snapshot: { executor } }: ConsoleState): Section {
  const available = actionsFor(executor);
  const unsupported = new Set(rowActions.filter((one) => !available.includes(one)).map(({ name }) => name));
  const entries = namedCommands(readOnly)
    .filter(({ name }) => !unsupported.has(name))
    .map(({ name, argument, help }) => ({ label: `:${name} ${argument}`.trimEnd(), text: help }));
  return { title: 'Commands', entries };
}

function sideBySide([left, right]: readonly Section[], width: number): Line[] {
  if (left === undefined) return [];
  if (right === undefined) return sectionLines(left, width);
  const leftWidth = Math.floor(width / 2);
  const [a, b] = [sectionLines(left, leftWidth - 2), sectionLines(right, width - leftWidth)];
  return Array.from({ length: Math.max(a.length, b.length) }, (_, index) => {
    const spans = a[index]?.spans ?? [];
    return { spans: [...spans, span(' '.repeat(leftWidth - spansWidth(spans))), ...(b[index]?.spans ?? [])] };
  });
}

/** A heading, the entries, and a blank line. Long texts are wrapped. */
function sectionLines({ title, entries }: Section, width: number): Line[] {
  const longest = Math.max(0, ...entries.map(({ label }) => label.length));
  const labelWidth = Math.min(longest, Math.max(12, Math.floor(width * 0.35)));
  return [
    { spans: [span(` ${title}`, 'strong')] },
    ...entries.flatMap(({ label, text }): Line[] => {
      // a label that is too long has a line of its own
      const isLong = label.length > labelWidth;
      const texts = wrapWords(text, width - labelWidth - 6).map((piece, index): Line => ({
        spans: [
          span(`   ${(index === 0 && !isLong ? label : '').padEnd(labelWidth)}  `, 'accent'),
          span(piece),
        ],
      }));
      return isLong ? [{ spans: [span(`   ${label}`, 'accent')] }, ...texts] : texts;
    }),
    { spans: [] },
  ];
}
