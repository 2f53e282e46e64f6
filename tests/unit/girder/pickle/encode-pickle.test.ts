import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../../src/base/errors.js';
import { parseExactJson, writePythonJson } from '../../../../src/base/text/python-json.js';
import { encodePickle } from '../../../../src/girder/pickle/encode-pickle.js';
import { dumpMessage } from '../../../../src/girder/pickle/decoder-dump.js';
import { decodePickle } from '../../../../src/girder/pickle/jsonpickle.js';
import type { Pickled } from '../../../../src/girder/pickle/pickled.js';
import { fixtureTask } from '../fixtures.js';

const contract = new URL('../../../fixtures/contract/', import.meta.url);
const names = readdirSync(new URL('tasks/', contract)).filter((name) => name.endsWith('.json'));

const written = (value: Pickled): string => writePythonJson(encodePickle(value));
const read = (text: string): Pickled => decodePickle(parseExactJson(text));
const show = (value: Pickled): unknown =>
  dumpMessage({ container: 'list', args: value, kwargs: new Map(), embed: new Map(), hooks: null }).args;

describe('what was decoded is written again', () => {
  it.each(names)('%s: the very text that Python wrote, unless it holds signatures', (name) => {
    const { body } = fixtureTask(name);
    const again = written(read(body));
    if (body.includes('celery.canvas.Signature')) {
      expect(again).not.toContain('__dict__');
      expect(show(read(again))).toStrictEqual(show(read(body)));
    } else
      expect(again).toBe(body.replaceAll(/\\u[0-9a-f]{4}/g, (escape) => JSON.parse(`"${escape}"`) as string));
  });

  it('result hooks of Girder 3 and 5, with their dates and ids', () => {
    let hooks = 0;
    for (const name of names) {
      const header = fixtureTask(name).headers['girder_result_hooks'];
      for (const hook of Array.isArray(header) ? (header as unknown[]) : []) {
        hooks += 1;
        const value = decodePickle(hook);
        expect(show(read(written(value)))).toStrictEqual(show(value));
      }
    }
    expect(hooks).toBeGreaterThan(20);
  });

  it.each([
    ['1.0', '1.0'],
    ['-0.0', '-0.0'],
    ['1e300', '1e+300'],
    ['12345678901234567890', '12345678901234567890'],
    ['[NaN, Infinity, -Infinity, 0.5, 1]', '[NaN, Infinity, -Infinity, 0.5, 1]'],
    ['{"__proto__": [null, true]}', '{"__proto__": [null, true]}'],
  ])('%s as %s', (text, again) => {
    expect(written(read(text))).toBe(again);
  });

  it('one object stays one object, and two stay two', () => {
    const twice = '{"a": [{"x": 1}], "b": {"py/id": 1}, "c": [{"x": 1}], "d": {"py/tuple": [{"py/id": 2}]}}';
    expect(written(read(twice))).toBe(twice);
  });

  it('a part of a document is encoded as a separate document', () => {
    const whole = read('{"a": [[], [{"py/id": 2}, {"py/id": 0}]], "b": [{"k": 1}, {"py/id": 5}]}');
    const part = whole instanceof Map ? ((whole as Map<string, Pickled>).get('b') ?? null) : null;
    expect(written(part)).toBe('[{"k": 1}, {"py/id": 1}]');
  });
});

describe('is refused', () => {
  it.each([
    ['what only Python could build', '[{"py/reduce": [{"py/function": "os.getcwd"}, {"py/tuple": []}]}]'],
    ['an object inside itself', '[[{"py/id": 0}]]'],
  ])('%s', (_, text) => {
    expect(() => written(read(text))).toThrow(DsaSlurmError);
  });
});

/** Values as the decoder returns them, with shared parts. */
const values = fc.letrec<{ value: Pickled }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof<fc.Arbitrary<Pickled>[]>(
      fc.constantFrom<Pickled>(null, true, 0, -1, 0.5, NaN, Infinity, 2n ** 70n),
      fc.string(),
      fc.constantFrom<Pickled>(
        { kind: 'type', name: 'a.B' },
        { kind: 'bytes', bytes: new Uint8Array([1, 2, 255]) },
        { kind: 'objectId', hex: 'fafafafafafafafafa000063' },
        { kind: 'datetime', iso: '2026-11-23T10:00:30.017612' },
        { kind: 'datetime', iso: '2026-11-23T10:00:30+00:00' },
      ),
    ),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(tie('value'), { maxLength: 3 }).map((items): Pickled => ({ kind: 'tuple', items })),
    fc.array(tie('value'), { maxLength: 3 }).map((items): Pickled => ({ kind: 'set', items })),
    entriesOf(tie('value')),
    fc.tuple(entriesOf(tie('value')), fc.boolean()).map(([attributes, hasState]): Pickled => ({
      kind: 'instance',
      className: 'some.Class',
      id: 0,
      attributes: hasState ? new Map() : attributes,
      state: hasState ? attributes : undefined,
    })),
    tie('value').map((value): Pickled => [value, value, { kind: 'tuple', items: [value] }]),
  ),
}));

function entriesOf(value: fc.Arbitrary<Pickled>): fc.Arbitrary<ReadonlyMap<string, Pickled>> {
  const key = fc.oneof(
    fc.constantFrom('a', 'b', 'c', '__proto__'),
    fc.string().map((text) => `k${text}`),
  );
  return fc.array(fc.tuple(key, value), { maxLength: 3 }).map((entries) => new Map(entries));
}

it('decoding an encoded value returns the same value', () => {
  fc.assert(
    fc.property(values.value, (value) => {
      const text = written(value);
      expect(show(read(text))).toStrictEqual(show(value));
      expect(written(read(text))).toBe(text);
    }),
    { numRuns: 1_000 },
  );
});
