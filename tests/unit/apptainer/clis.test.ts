import { expect, test } from 'vitest';
import { parseCliList, trimDescription } from '../../../src/apptainer/clis.js';

test('CLIs come with the form of their description; without one it is XML', () => {
  const text = '{"apps/A": {"type": "python"}, "B b": {"desc-type": "yaml"}, "C": null}';
  expect(parseCliList('x:v1', text)).toEqual([
    { name: 'apps/A', type: 'xml' },
    { name: 'B b', type: 'yaml' },
    { name: 'C', type: 'xml' },
  ]);
});

test.each([
  ['hello', 'no JSON'],
  ['[]', 'no object'],
  ['null', 'no object'],
  ['{}', '0 CLIs'],
  ['{"-x": {}}', 'a CLI without a usable name'],
  ['{"../b": {}}', 'a CLI without a usable name'],
  ['{"a//b": {}}', 'a CLI without a usable name'],
  ['{"/b": {}}', 'a CLI without a usable name'],
  [String.raw`{"a\u0000": {}}`, 'a CLI without a usable name'],
  ['{"A": {"desc-type": "exe"}}', 'neither XML nor JSON nor YAML'],
  [`{${Array.from({ length: 501 }, (_, index) => `"c${index}": {}`).join(',')}}`, '501 CLIs'],
])('a list that is none is refused: %j', (text, why) => {
  expect(() => parseCliList('x:v1', text)).toThrow(why);
});

test.each([
  ['xml', 'hello <a><b/></a> bye\n', '<a><b/></a>'],
  ['json', 'x {"a": {}} y', '{"a": {}}'],
  ['yaml', 'title: A\n', 'title: A\n'],
] as const)('what a CLI says around its %s does not count', (type, text, kept) => {
  expect(trimDescription({ name: 'A', type }, 'x:v1', text)).toBe(kept);
});

test.each([
  ['xml', 'nothing here'],
  ['xml', '> upside down <'],
  ['json', ''],
  ['yaml', ' \n'],
] as const)('no %s in %j is an error', (type, text) => {
  expect(() => trimDescription({ name: 'A', type }, 'x:v1', text)).toThrow('printed no description');
});
