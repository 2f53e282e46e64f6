import { describe, expect, test } from 'vitest';
import { keyNames } from '../../../../src/console/terminal/keys.js';

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
  ])('names %j %j %j', (input, key, names) => {
    expect(keyNames(input, key)).toEqual(names);
  });
});
