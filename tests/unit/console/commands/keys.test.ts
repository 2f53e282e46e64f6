import { describe, expect, test } from 'vitest';
import {
  bindingsFor,
  commandFor,
  contexts,
  keyLabel,
  keyNames,
  keyTable,
} from '../../../../src/console/commands/keys.js';
import { helpLines } from '../../../../src/console/views/help.js';

const told = (readOnly: boolean): string =>
  helpLines({ readOnly, snapshot: { executor: 'slurm' } })
    .map((line) => line.spans.map(({ text }) => text).join(''))
    .join('\n');

describe('the key table', () => {
  test.each(contexts)('a key means one thing in %s', (context) => {
    const keys = bindingsFor(context, false).flatMap((one) => one.keys);
    expect(keys).toEqual([...new Set(keys)]);
  });

  test.each(contexts)('there is a way out of %s', (context) => {
    expect(commandFor('ctrl-c', context, true)).toBe('interrupt');
  });

  test('a read-only console has no key that acts on jobs or the worker', () => {
    for (const context of contexts) {
      expect(bindingsFor(context, true).filter(({ dangerous }) => dangerous)).toEqual([]);
    }
    expect(commandFor('x', 'table', false)).toBe('cancel');
    expect(commandFor('x', 'table', true)).toBeNull();
    expect(commandFor('p', 'table', true)).toBeNull();
  });

  test('the help tells every key, or every harmless one', () => {
    for (const one of keyTable) {
      const line = `${one.keys.map(keyLabel).join(' ').padEnd(21)}${one.description}`;
      expect(told(false)).toContain(line);
      expect(told(true).includes(line)).toBe(!one.dangerous);
    }
  });
});

describe('keyNames', () => {
  test.each([
    ['j', {}, ['j']],
    ['jj', {}, ['j', 'j']],
    ['G', { shift: true }, ['G']],
    [' ', {}, ['space']],
    ['c', { ctrl: true }, ['ctrl-c']],
    ['', { upArrow: true }, ['up']],
    ['', { return: true }, ['enter']],
    ['/ab\r', {}, ['/', 'a', 'b', 'enter']],
    ['', { escape: true, meta: true }, ['esc']],
    ['x', { meta: true }, []],
    ['j', { eventType: 'release' as const }, []],
    ['終', {}, ['終']],
  ])('%j %j is %j', (input, key, names) => {
    expect(keyNames(input, key)).toEqual(names);
  });
});
