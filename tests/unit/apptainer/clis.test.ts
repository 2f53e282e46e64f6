import { expect, test } from 'vitest';
import { parseCliList, trimDescription } from '../../../src/apptainer/clis.js';

test('parses CLIs with the format of their description, by default XML', () => {
  const text = '{"apps/A": {"type": "python"}, "B b": {"desc-type": "yaml"}, "C": null}';
  expect(parseCliList('x:v1', text)).toEqual([
    { name: 'apps/A', type: 'xml' },
    { name: 'B b', type: 'yaml' },
    { name: 'C', type: 'xml' },
  ]);
});

test.each([
  ['hello', 'it is not JSON'],
  ['[]', 'it is not a JSON object'],
  ['null', 'it is not a JSON object'],
  ['{}', '0 CLIs'],
  ['{"-x": {}}', 'a CLI has an invalid name'],
  ['{"../b": {}}', 'a CLI has an invalid name'],
  ['{"a//b": {}}', 'a CLI has an invalid name'],
  ['{"/b": {}}', 'a CLI has an invalid name'],
  [String.raw`{"a\u0000": {}}`, 'a CLI has an invalid name'],
  ['{"A": {"desc-type": "exe"}}', 'the description of A is not XML, JSON or YAML'],
  [`{${Array.from({ length: 501 }, (_, index) => `"c${index}": {}`).join(',')}}`, '501 CLIs'],
])('refuses the invalid list %j', (text, why) => {
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
