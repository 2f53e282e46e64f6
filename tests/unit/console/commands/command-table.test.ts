import { describe, expect, test } from 'vitest';
import {
  completions,
  namedCommands,
  parseCommandLine,
} from '../../../../src/console/commands/command-line.js';
import { commandForKey, commandsIn, commandTable } from '../../../../src/console/commands/command-table.js';
import { contexts } from '../../../../src/console/state/state.js';
import { keyLabel } from '../../../../src/console/terminal/keys.js';
import { helpLines } from '../../../../src/console/views/help.js';

const helpText = (readOnly: boolean, executor: 'slurm' | 'local' = 'slurm'): string =>
  helpLines({ readOnly, snapshot: { executor } })
    .map((line) => line.spans.map(({ text }) => text).join(''))
    .join('\n');

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
  test('lists every key, but no dangerous ones in a read-only console', () => {
    for (const one of commandTable.filter(({ keys }) => keys.length > 0)) {
      const line = `${one.keys.map(keyLabel).join(' ').padEnd(21)}${one.help}`;
      expect(helpText(false)).toContain(line);
      expect(helpText(true).includes(line)).toBe(!one.dangerous);
    }
  });

  test('lists every command of the : line, but no dangerous ones in a read-only console', () => {
    for (const { name, help, dangerous } of namedCommands(false)) {
      const line = new RegExp(`^ +:${name}( .*)? ${help.replaceAll(/[^\w ]/gu, '.')}$`, 'mu');
      expect(helpText(false)).toMatch(line);
      expect(line.test(helpText(true))).toBe(!dangerous);
    }
  });

  test('fits into 80 columns', () => {
    expect(
      helpText(false)
        .split('\n')
        .filter((line) => line.length > 80),
    ).toEqual([]);
  });

  test('omits actions that the local executor does not support', () => {
    expect(helpText(false, 'local')).not.toContain(':hold');
    expect(helpText(false, 'local')).toContain(':cancel');
  });
});
