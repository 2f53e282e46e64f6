import { expect, test } from 'vitest';
import stringWidth from 'string-width';

import { isNarrow } from '../../../src/base/text/cells.js';
import { segmenter } from '../../../src/base/text/segmenter.js';

const units = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code));
const real = new Intl.Segmenter();

/** Whether the segmenter answers without Intl: its answer is an array then. */
const isShort = (text: string): boolean => Array.isArray(segmenter.segment(text));

const parts = (of: { segment(text: string): Iterable<{ segment: string; index: number }> }, text: string) =>
  Array.from(of.segment(text), ({ segment, index }) => ({ segment, index }));

test('every unit that is taken for a grapheme is one, whatever of them stands beside it', () => {
  const short = units.filter(isShort);
  expect(short.length).toBeGreaterThan(600);
  expect(short).not.toContain('\r');
  const text = short.join('') + short.toReversed().join('') + short.map((unit) => unit + unit).join('');
  expect(isShort(text)).toBe(true);
  expect(parts(segmenter, text)).toEqual(parts(real, text));
  expect(parts(segmenter, short.map((unit) => `a${unit}─`).join(''))).toHaveLength(short.length * 3);
});

test('every text that is taken for narrow has a cell for each unit', () => {
  const narrow = units.filter(isNarrow);
  expect(narrow.length).toBeGreaterThan(600);
  expect(narrow.filter((unit) => stringWidth(unit) !== 1)).toEqual([]);
  expect(narrow.filter((unit) => !isShort(unit))).toEqual([]);
  expect(stringWidth(narrow.join(''))).toBe(narrow.length);
});

test.each(['e\u0301', '👩‍🔬', '한국어', '\r\n', '✔\uFE0F', '🇩🇪'])('of other texts Intl decides: %j', (text) => {
  expect(isShort(text)).toBe(false);
  expect(parts(segmenter, text)).toEqual(parts(real, text));
});
