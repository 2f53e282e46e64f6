import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { parsePythonJson } from '../../../src/base/text/python-json.js';

describe('parsePythonJson', () => {
  test('agrees with JSON.parse on every JSON text', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t'), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent);
        expect(withNumbers(parsePythonJson(spaced))).toEqual(JSON.parse(spaced));
      }),
    );
  });

  test('accepts nothing that JSON.parse refuses, except Python literals and long integers', () => {
    const nearJson = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', 'u', '1', '0', '-', '.', 'e', ' ', 'a'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(nearJson, (text) => {
        expect(outcome(() => parsePythonJson(text))).toEqual(outcome(() => JSON.parse(text)));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each<[string, unknown]>([
    ['NaN', Number.NaN],
    ['[Infinity, -Infinity, -1]', [Infinity, -Infinity, -1]],
    [' {"a": NaN} ', { a: Number.NaN }],
    ['["NaN", "-Infinity"]', ['NaN', '-Infinity']],
    ['"\\ud83d\\ude00 \\u00e9"', '😀 é'],
    ['"\\ud800"', '\ud800'],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['1e400', Infinity],
    ['{"a": 1, "a": 2}', { a: 2 }],
  ])('%s', (text, value) => {
    expect(parsePythonJson(text)).toEqual(value);
  });

  test.each([
    ['', 'This is not JSON: a value is expected where the text ends.'],
    ['[1, ]', 'This is not JSON: a value is expected at offset 4.'],
    ['{"a" 1}', 'This is not JSON: ":" is expected at offset 5.'],
    ['{a: 1}', 'This is not JSON: a string is expected at offset 1.'],
    ['[1 2]', 'This is not JSON: "," or "]" is expected at offset 3.'],
    ['"secret\\x"', 'This is not JSON: a string with legal escapes is expected at offset 0.'],
    ['"secret', 'This is not JSON: the rest of a string is expected where the text ends.'],
    ['"a\nb"', 'This is not JSON: the rest of a string is expected at offset 2.'],
    ['nul', 'This is not JSON: a value is expected at offset 0.'],
    ['1 2', 'This is not JSON: nothing more is expected at offset 2.'],
    ['\ufeff1', 'This is not JSON: a value is expected at offset 0.'],
    ['-', 'This is not JSON: a value is expected at offset 0.'],
  ])('refuses %j with a position and without quoting it', (text, message) => {
    expect(() => parsePythonJson(text)).toThrow(new DsaSlurmError('message', message));
  });

  test('treats __proto__ as an ordinary key', () => {
    const value = parsePythonJson('{"__proto__": {"polluted": true}, "b": 1}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__', 'b']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(value['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('limits nesting and the length of integers', () => {
    expect(parsePythonJson(nested(500))).toBeInstanceOf(Array);
    expect(() => parsePythonJson(nested(501))).toThrow('nesting');
    expect(() => parsePythonJson('{"a":'.repeat(100_000))).toThrow('nesting');
    expect(() => parsePythonJson('1'.repeat(5_000_000))).toThrow('4300 digits');
  });

  test('reads long strings', () => {
    const long = 'é\\"'.repeat(500_000);
    expect(parsePythonJson(JSON.stringify(long))).toBe(long);
  });
});

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

function outcome(parse: () => unknown): unknown {
  try {
    return { value: JSON.stringify(withNumbers(parse())) };
  } catch {
    return 'refused';
  }
}

/** Integers as JSON.parse would return them. */
function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(withNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withNumbers(inner)]));
}
