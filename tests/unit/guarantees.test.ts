import { describe, expect, test } from 'vitest';

import { isFile, isTest, quotedIn, readEntries, textOf } from '../support/doc-entries.js';

const page = textOf('docs/guarantees.md');
const notPromised = 'What is not guaranteed, and why';
const promises = readEntries(page).filter(({ section }) => section !== notPromised);

describe('docs/guarantees.md', () => {
  test('says of every promise how it is kept, and which tests prove it', () => {
    expect(promises.length).toBeGreaterThan(30);
    for (const { what, text, proofs } of promises) {
      expect(text, what).not.toBe('');
      expect(proofs, what).not.toEqual([]);
      for (const proof of proofs) expect(proof, what).toMatch(/^`[^`]+`$/);
    }
  });

  test('names tests that are there', () => {
    const named = promises.flatMap(({ proofs }) => proofs.flatMap(quotedIn));
    expect(named.filter((each) => !isTest(each))).toEqual([]);
  });

  test('names files that are there', () => {
    const files = quotedIn(page).filter((quoted) => /^(src|tests)\/\S+$/.test(quoted));
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => !isFile(file))).toEqual([]);
  });

  test('says what is not promised', () => {
    const entries = readEntries(page).filter(({ section }) => section === notPromised);
    expect(entries.length).toBeGreaterThan(8);
  });
});

test('a test that is not there is noticed', () => {
  const own = 'unit/guarantees.test.ts';
  expect(isTest(`${own} > names files that are there`)).toBe(true);
  expect(isTest(`${own} > names files that are`)).toBe(false);
  expect(isTest(own)).toBe(false);
  expect(isTest('unit/nothing.test.ts > names files that are there')).toBe(false);
});
