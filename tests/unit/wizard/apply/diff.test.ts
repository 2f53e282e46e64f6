import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unifiedDiff } from '../../../../src/wizard/apply/diff.js';

const diff = (before: string[], after: string[]) =>
  unifiedDiff(
    before.map((line) => `${line}\n`).join(''),
    after.map((line) => `${line}\n`).join(''),
    (line) => line,
  );

/** Applies a diff as `patch` would. */
function patch(before: string[], text: string): string[] {
  const out: string[] = [];
  let at = 0;
  for (const line of text === '' ? [] : text.split('\n')) {
    const header = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line);
    if (header !== null) {
      const from = Number(header[1]) - (header[2] === '0' ? 0 : 1);
      out.push(...before.slice(at, from));
      expect(out.length).toBe(Number(header[3]) - (header[4] === '0' ? 0 : 1));
      at = from;
    } else if (line.startsWith('+')) out.push(line.slice(1));
    else {
      expect(before[at]).toBe(line.slice(1));
      if (line.startsWith(' ')) out.push(line.slice(1));
      at += 1;
    }
  }
  return [...out, ...before.slice(at)];
}

describe('unifiedDiff', () => {
  it('shows three lines around a change', () => {
    const before = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];
    expect(diff(before, before.with(4, 'five'))).toBe('@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8');
  });

  it('is empty for the same text, and shows a missing newline at the end of the file', () => {
    expect(diff(['a'], ['a'])).toBe('');
    expect(unifiedDiff('a', 'a\n', (line) => line)).toMatch(/^\\ No newline at end of file$/m);
  });

  it('can be applied to the old text and gives the new one', () => {
    const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 40 });
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        expect(patch(before, diff(before, after))).toEqual(after);
      }),
    );
  });
});
