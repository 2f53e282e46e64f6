import { expect, test } from 'vitest';

import { printableJson } from '../../../src/base/text/printable-json.js';

test('escapes characters that affect a terminal without changing the meaning', () => {
  const value = { title: 'a\u009B31mred\u202Egnp.exe\u2066', plain: 'é漢🔬' };
  const text = printableJson(value, 2);
  expect(text).not.toMatch(/[\u007F-\u009F\u202E\u2066]/);
  expect(text).toContain('é漢🔬');
  expect(JSON.parse(text)).toEqual(value);
});
