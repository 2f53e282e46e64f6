import { describe, expect, test } from 'vitest';
import {
  completions,
  matchingCommands,
  namedCommands,
  parseCommandLine,
} from '../../../../src/console/commands/command-line.js';
import { commandForKey, commandsIn, commandTable } from '../../../../src/console/commands/command-table.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { contextBelow, contexts, type Place } from '../../../../src/console/state/state.js';
import { keyLabel } from '../../../../src/console/terminal/keys.js';
import type { Line } from '../../../../src/console/terminal/theme.js';
import { helpLines } from '../../../../src/console/views/help.js';
import { createFakeWorker } from '../../../support/fake-worker-handle.js';

/** The help as one text; where the view decides, that of the table of runs and jobs. */
function helpText(
  readOnly: boolean,
  { executor = 'slurm', columns = 80, place = { view: 'jobs' } }: HelpOptions = {},
): string {
  const worker = createFakeWorker();
  worker.show({ executor });
  const state = initialState({ snapshot: worker.snapshot(), now: 0, size: { columns, rows: 200 }, readOnly });
  return textOf(helpLines({ ...state, place }));
}

interface HelpOptions {
  executor?: 'slurm' | 'local';
  columns?: number;
  place?: Place;
}

function textOf(lines: readonly Line[]): string {
  return lines.map(({ spans }) => spans.map(({ text }) => text).join('')).join('\n');
}

const escaped = (one: string): string => one.replaceAll(/[\\^$.|?*+()[\]{}/]/gu, String.raw`\$&`);

/** Whether a key or command is explained; a long text continues on the next lines. */
function explains(text: string, label: string, help: string): boolean {
  const words = help
    .split(' ')
    .map(escaped)
    .join(String.raw`\s+`);
  return new RegExp(String.raw`^ {3}${escaped(label)}(?: .*)?\s+${words}`, 'mu').test(text);
}

describe('the command table', () => {
  test('has unique ids, names and aliases', () => {
    const ids = commandTable.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
    const names = commandTable.flatMap(({ name, aliases }) => [
      ...(name === undefined ? [] : [name]),
      ...aliases,
    ]);
    expect(names).toEqual([...new Set(names)]);
  });

  test('has a key or a name for every command', () => {
    for (const { keys, name } of commandTable) expect(keys.length > 0 || name !== undefined).toBe(true);
  });

  test.each(contexts)('has at most one command per key in %s', (context) => {
    const keys = commandsIn(context, false).flatMap((one) => one.keys);
    expect(keys).toEqual([...new Set(keys)]);
  });

  test.each(contexts)('can interrupt in %s', (context) => {
    expect(commandForKey('ctrl-c', context, true)?.id).toBe('interrupt');
  });

  test('has no keys and no names for dangerous commands in a read-only console', () => {
    for (const context of contexts) {
      expect(commandsIn(context, true).filter(({ dangerous }) => dangerous)).toEqual([]);
    }
    expect(commandForKey('x', 'table', false)?.id).toBe('cancel');
    expect(commandForKey('x', 'table', true)).toBeNull();
    expect(commandForKey('p', 'table', true)).toBeNull();
    expect(parseCommandLine('cancel', false)?.command.id).toBe('cancel');
    expect(parseCommandLine('cancel', true)).toBeNull();
    expect(completions('', { readOnly: true, columnIds: [] })).not.toContain('cancel');
  });
});

describe('the help', () => {
  const places: readonly Place[] = [
    { view: 'jobs' },
    { view: 'nodes' },
    { view: 'doctor' },
    { view: 'worker', top: 0 },
    { view: 'item', table: 'nodes', id: 'n1', top: 0 },
    { view: 'item', table: 'doctor', id: 'a', top: 0 },
  ];

  test.each(places)(
    'lists every key of its view, but no dangerous ones in a read-only console: %j',
    (place) => {
      const worker = createFakeWorker();
      const base = initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 200 } });
      const all = helpText(false, { place });
      const harmless = helpText(true, { place });
      for (const one of commandsIn(contextBelow({ ...base, place }), false)) {
        const label = one.keys.map(keyLabel).join(' ');
        expect([label, explains(all, label, one.help)]).toEqual([label, true]);
        expect([label, explains(harmless, label, one.help)]).toEqual([label, !one.dangerous]);
      }
    },
  );

  test('lists every command of the : line, but no dangerous ones in a read-only console', () => {
    for (const { name, help, dangerous } of namedCommands(false)) {
      expect([name, explains(helpText(false), `:${name}`, help)]).toEqual([name, true]);
      expect([name, explains(helpText(true), `:${name}`, help)]).toEqual([name, !dangerous]);
    }
  });

  test('has two columns on a wide terminal: this view, and everywhere', () => {
    expect(helpText(false, { columns: 120 })).toMatch(/^ This view: jobs {10,}Everywhere$/mu);
  });

  test('fits into any terminal', () => {
    for (const columns of [40, 60, 80, 100, 120]) {
      const lines = helpText(false, { columns }).split('\n');
      expect(lines.filter((line) => line.trimEnd().length > columns)).toEqual([]);
    }
  });

  test('omits actions that the local executor does not support', () => {
    expect(helpText(false, { executor: 'local' })).not.toContain(':hold');
    expect(helpText(false, { executor: 'local' })).toContain(':cancel');
  });
});

const found = (text: string, readOnly = false): string[] =>
  matchingCommands(text, readOnly).map(({ name }) => name);

describe('the palette', () => {
  test('finds commands by their beginning, an alias, some of their letters, or a word of the help', () => {
    expect(found('no')[0]).toBe('nodes');
    expect(found('runs')[0]).toBe('jobs');
    expect(found('pt')).toContain('partitions');
    expect(found('clipboard')).toEqual([]);
    expect(found('signal')[0]).toBe('signal');
    expect(found('')).toHaveLength(namedCommands(false).length);
  });

  test('has no dangerous commands in a read-only console', () => {
    expect(found('cancel', true)).not.toContain('cancel');
  });
});
