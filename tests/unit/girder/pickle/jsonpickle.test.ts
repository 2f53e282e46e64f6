import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DsaSlurmError } from '../../../../src/base/errors.js';
import { parsePythonJson } from '../../../../src/base/text/python-json.js';
import { dumpMessage } from '../../../../src/girder/pickle/decoder-dump.js';
import { decodePickle } from '../../../../src/girder/pickle/jsonpickle.js';
import { attribute, isInstance, type Pickled } from '../../../../src/girder/pickle/pickled.js';
import { decodeMessage } from '../../../../src/girder/protocol/read-message.js';

const map = (entries: Record<string, Pickled>) => new Map(Object.entries(entries));
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
const datetime = (...parts: unknown[]) => ({
  'py/object': 'datetime.datetime',
  __reduce__: [{ 'py/type': 'datetime.datetime' }, parts],
});
const base64 = (...numbers: number[]) => Buffer.from(numbers).toString('base64');

describe('decodePickle', () => {
  const values: [string, unknown, Pickled][] = [
    ['scalars', [null, true, 1.5, 'x', 7n], [null, true, 1.5, 'x', 7n]],
    ['a plain object', { a: { b: [] } }, map({ a: map({ b: [] }) })],
    ['a tuple', { 'py/tuple': [1, []] }, { kind: 'tuple', items: [1, []] }],
    ['a set', { 'py/set': [1] }, { kind: 'set', items: [1] }],
    ['a type', { 'py/type': 'a.B' }, { kind: 'type', name: 'a.B' }],
    ['a function', { 'py/function': 'a.b' }, { kind: 'function', name: 'a.b' }],
    ['base64', { 'py/b64': 'AP8=' }, { kind: 'bytes', bytes: bytes('\u0000\u00ff') }],
    ['empty base85', { 'py/b85': '' }, { kind: 'bytes', bytes: bytes('') }],
    ['short base85', { 'py/b85': 'Xa' }, { kind: 'bytes', bytes: bytes('h') }],
    [
      'base85',
      { 'py/b85': '0RMn@X=G&}VtI6Bb0G' },
      { kind: 'bytes', bytes: bytes('\u0000\u00ff\u0080wide bytes!') },
    ],
    [
      'an ObjectId',
      { 'py/object': 'bson.objectid.ObjectId', 'py/state': { 'py/b64': '+vr6+vr6+vr6AAAB' } },
      { kind: 'objectId', hex: 'fafafafafafafafafa000001' },
    ],
    [
      'a datetime with a fold and no microseconds',
      datetime(base64(7, 234, 11 | 0x80, 23, 9, 5, 4, 0, 0, 0)),
      { kind: 'datetime', iso: '2026-11-23T09:05:04' },
    ],
    [
      'a datetime with a zone',
      datetime(base64(7, 234, 1, 2, 3, 4, 5, 0, 0, 6), { 'py/reduce': [{ 'py/type': 'datetime.timezone' }] }),
      { kind: 'datetime', iso: '2026-01-02T03:04:05.000006+00:00' },
    ],
    [
      'an unknown class as a record',
      { 'py/object': 'os.system', command: 'rm' },
      {
        kind: 'instance',
        className: 'os.system',
        id: 0,
        attributes: map({ command: 'rm' }),
        state: undefined,
      },
    ],
    [
      'a state as a record',
      { 'py/object': 'a.B', 'py/state': { 'py/id': 0 } },
      { kind: 'instance', className: 'a.B', id: 0, attributes: map({}), state: { kind: 'cycle' } },
    ],
    ['a call, which is not made', { 'py/reduce': [{ 'py/function': 'os.system' }] }, { kind: 'reduce' }],
  ];

  it.each(values)('reads %s', (_, json, expected) => {
    expect(decodePickle(json)).toStrictEqual(expected);
  });

  const malformed: [string, unknown][] = [
    ['py/repr', { 'py/repr': 'os/os.getcwd()' }],
    ['py/mod, which jsonpickle 4 writes for a module', { 'py/mod': 're/re' }],
    ['py/iterator', { 'py/iterator': [] }],
    ['py/newargs', { 'py/object': 'a.B', 'py/newargs': { 'py/tuple': [] } }],
    ['py/newargsex', { 'py/object': 'a.B', 'py/newargsex': { 'py/tuple': [[], {}] } }],
    ['py/seq', { 'py/object': 'a.B', 'py/seq': [] }],
    ['py/ref', { 'py/ref': '/a' }],
    ['an unknown tag', { 'py/exec': 'x' }],
    ['two tags', { 'py/tuple': [], 'py/set': [] }],
    ['a tag among keys', { 'py/tuple': [], a: 1 }],
    ['a malformed tuple', { 'py/tuple': {} }],
    ['a malformed type', { 'py/type': 1 }],
    ['malformed bytes', { 'py/b64': 'A' }],
    ['base85 of other letters', { 'py/b85': 'ab cd' }],
    ['base85 beyond 32 bits', { 'py/b85': '~~~~~' }],
    ['a malformed class name', { 'py/object': ['a'] }],
    ['state and attributes', { 'py/object': 'a.B', 'py/state': 1, a: 1 }],
    ['an ObjectId of 11 bytes', { 'py/object': 'bson.objectid.ObjectId', 'py/state': { 'py/b64': 'AAAA' } }],
    ['an ObjectId without state', { 'py/object': 'bson.objectid.ObjectId' }],
    ['a datetime of 4 bytes', datetime('B+oBAg==')],
    ['a datetime without its parts', { 'py/object': 'datetime.datetime', year: 2026 }],
    ['a reference to nothing', { 'py/id': 0 }],
    ['a forward reference', [{ 'py/id': 1 }, []]],
    ['a negative reference', [{ 'py/id': -1 }]],
    ['a broken reference', [{ 'py/id': 0.5 }]],
    ['a reference by text', [{ 'py/id': '0' }]],
    ['a reference beyond numbers', [{ 'py/id': 10n ** 30n }]],
    ['a value that is not JSON', [undefined]],
    ['a Buffer', Buffer.from('x')],
  ];

  it.each(malformed)('refuses %s', (_, json) => {
    expect(() => decodePickle(json)).toThrow(DsaSlurmError);
  });

  it('numbers objects, arrays, instances and calls, and nothing else', () => {
    const target = { 'py/object': 'a.B' };
    const before = [
      { 'py/tuple': [{ 'py/set': [{ 'py/type': 'a.B' }] }] },
      { 'py/b64': '' },
      { 'py/function': 'a.b' },
      [], // 1
      {}, // 2
      datetime(base64(7, 234, 1, 2, 3, 4, 5, 0, 0, 6), { 'py/reduce': [{ 'py/tuple': [[]] }] }), // 3, 4, 5
      'text',
      null,
    ];
    const [, first, second] = decodePickle([before, target, { 'py/id': 7 }]) as readonly Pickled[];
    expect(isInstance(first ?? null)).toBe(true);
    expect(second).toBe(first);
    expect(first).toMatchObject({ id: 7 });
  });

  it('reads keys that are not strings as jsonpickle 4.1.4 writes them with keys=True', () => {
    // of {'x': [a], 1: a, True: 2, None: 3, 'json://q': 4, 2.5: a}
    const text =
      '{"x": [{"py/object": "a.B"}], "json://\\"json://q\\"": 4, "json://1": {"py/id": 2}, "json://true": 2, "json://null": 3, "json://2.5": {"py/id": 2}}';
    const decoded = decodePickle(parsePythonJson(text)) as ReadonlyMap<string, Pickled>;
    expect([...decoded.keys()]).toEqual(['x', 'json://q', '1', 'True', 'null', '2.5']);
    const [instance] = decoded.get('x') as readonly Pickled[];
    expect(isInstance(instance ?? null)).toBe(true);
    expect([decoded.get('1'), decoded.get('2.5')]).toEqual([instance, instance]);
  });

  it('rejects references after a key that is itself an object, which may take numbers', () => {
    const before = { 'json://{"py/object": "a.B"}': 1, rest: [] };
    expect(decodePickle([before, 'fine'])).toHaveLength(2);
    expect(() => decodePickle([before, { 'py/id': 2 }])).toThrow(/order is not known/);
  });

  it('keys of a message cannot affect prototypes', () => {
    const decoded = decodePickle(parsePythonJson('{"__proto__": {"polluted": true}, "constructor": 1}'));
    expect(decoded).toStrictEqual(
      new Map<string, Pickled>([
        ['__proto__', map({ polluted: true })],
        ['constructor', 1],
      ]),
    );
    expect({}).not.toHaveProperty('polluted');
    const instance = decodePickle(parsePythonJson('{"py/object": "a.B", "__proto__": {"token": "x"}}'));
    expect(isInstance(instance) && attribute(instance, 'token')).toBeNull();
  });

  it('refuses references that depend on the order of numeric keys', () => {
    const unordered = '{"b": {"py/object": "a.B"}, "1": {"py/object": "a.C"}}';
    expect(decodePickle(parsePythonJson(`[${unordered}, {"py/id": 0}]`))).toBeDefined();
    expect(() => decodePickle(parsePythonJson(`[${unordered}, {"py/id": 2}]`))).toThrow(/order/);
    expect(decodePickle(parsePythonJson('[{"b": {}, "1": 5}, {"py/id": 1}]'))).toBeDefined();
  });

  it('replaces a reference to an enclosing object by a finite value', () => {
    expect(decodePickle([{ self: { 'py/id': 0 } }])).toStrictEqual([map({ self: { kind: 'cycle' } })]);
  });

  it('limits depth and size', () => {
    const deep = parsePythonJson('['.repeat(400) + ']'.repeat(400));
    expect(() => decodePickle(deep)).toThrow(/nested/);
    expect(() => decodePickle(Array.from({ length: 1_000_001 }, () => 0))).toThrow(/too many values/);
  });

  it('limits the dump of a message that grows exponentially', () => {
    // each list contains the previous one twice: 2^60 leaves in a few hundred characters
    const lists = Array.from({ length: 60 }, (_, n) =>
      n === 0 ? [] : [{ 'py/id': n + 1 }, { 'py/id': n + 1 }],
    );
    const body = JSON.stringify([lists, {}, {}]);
    expect(() => dumpMessage(decodeMessage({ headers: {}, body }))).toThrow(/too long/);
  });

  const json = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom<unknown>(
        null,
        true,
        0,
        1.5,
        Number.NaN,
        'x',
        '+vr6+vr6+vr6AAAB',
        'B+oLFwkjNgOMfw==',
        3n,
      ),
      fc.record({ 'py/id': fc.oneof(fc.integer({ min: -1, max: 12 }), tie('value')) }),
      fc.record({ 'py/object': fc.constantFrom('a.B', 'bson.objectid.ObjectId', 'datetime.datetime') }),
      fc.record({ 'py/object': fc.constant('a.B'), 'py/state': tie('value') }),
      fc.record({ 'py/object': fc.constant('a.B'), a: tie('value'), b: tie('value') }),
      fc.record({ 'py/object': fc.constant('datetime.datetime'), __reduce__: fc.array(tie('value')) }),
      fc
        .tuple(
          fc.constantFrom('tuple', 'set', 'reduce', 'type', 'b64', 'b85', 'repr', 'function'),
          tie('value'),
        )
        .map(([tag, value]) => ({ [`py/${tag}`]: value })),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom('a', 'b', '7', '8', '__proto__', 'py/x'), tie('value'), { maxKeys: 3 }),
    ),
  })).value;

  it('throws nothing but DsaSlurmError, and the result can be traversed', () => {
    let decoded = 0;
    fc.assert(
      fc.property(fc.oneof(json, fc.jsonValue()), (value) => {
        try {
          JSON.stringify(showOnly(decodePickle(value)));
          decoded += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(DsaSlurmError);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(decoded).toBeGreaterThan(500);
  });
});

function showOnly(value: Pickled): unknown {
  return dumpMessage({ container: 'list', args: value, kwargs: new Map(), embed: new Map(), hooks: null });
}
