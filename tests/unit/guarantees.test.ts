import { describe, expect, test } from 'vitest';

import { isFile, isTest, quotedIn, readRows, textOf } from '../support/doc-tables.js';

const page = textOf('docs/guarantees.md');
const rows = readRows(page);

describe('docs/guarantees.md', () => {
  test('says of every promise how it is kept, and which tests prove it', () => {
    expect(rows.length).toBeGreaterThan(30);
    for (const { cells } of rows) {
      const [promise = '', means = '', proof = ''] = cells;
      expect(promise).not.toBe('');
      expect(means, promise).not.toBe('');
      expect(quotedIn(proof), promise).not.toEqual([]);
    }
  });

  test('names tests that are there', () => {
    const named = rows.flatMap(({ cells }) => quotedIn(cells[2] ?? ''));
    expect(named.filter((each) => !isTest(each))).toEqual([]);
  });

  test('names files that are there', () => {
    const files = quotedIn(page).filter((quoted) => /^(src|tests)\/\S+$/.test(quoted));
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => !isFile(file))).toEqual([]);
  });

  test('says what is not promised', () => {
    const notPromised = page.split('## What is not promised')[1] ?? '';
    expect(notPromised.match(/^- \*\*/gm)?.length ?? 0).toBeGreaterThan(8);
  });
});

test('a test that is not there is noticed', () => {
  const own = 'unit/guarantees.test.ts';
  expect(isTest(`${own} > names files that are there`)).toBe(true);
  expect(isTest(`${own} > names files that are`)).toBe(false);
  expect(isTest(own)).toBe(false);
  expect(isTest('unit/nothing.test.ts > names files that are there')).toBe(false);
});
