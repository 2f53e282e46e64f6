import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { applyPatch, diff } from '../../../../src/worker/socket/patch.js';

/** As it comes through a socket. */
const sent = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const rows = (...ids: string[]): { id: string; state: string }[] =>
  ids.map((id) => ({ id, state: 'PENDING' }));

describe('diff and applyPatch', () => {
  test('whatever changes, the other end has the same in the end', () => {
    // few names and values, so that parts of the two are alike
    const leaf = fc.constantFrom(null, 0, 1, 'a', 'b', true);
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('json'), { maxLength: 5 }),
        fc.dictionary(fc.constantFrom('id', 'name', 'x', '__proto__'), tie('json'), {
          maxKeys: 3,
          noNullPrototype: true,
        }),
      ),
    }));
    fc.assert(
      fc.property(fc.option(json, { nil: undefined }), json, (before, after) => {
        const patch = diff(before, after);
        const here = before === undefined ? undefined : sent(before);
        expect(patch === null ? here : sent(applyPatch(here, sent(patch)))).toEqual(sent(after));
      }),
      { numRuns: 2_000 },
    );
  });

  test('of a thousand rows, only the changed one is sent', () => {
    const before = { rows: rows(...Array.from({ length: 1_000 }, (_, index) => `${index}`)), at: 1 };
    const after = {
      at: 1,
      rows: before.rows.map((row) => (row.id === '500' ? { ...row, state: 'RUNNING' } : row)),
    };
    expect(diff(before, after)).toEqual({
      o: { rows: { a: [[0, 500], { i: 500, p: { o: { state: { v: 'RUNNING' } } } }, [501, 499]] } },
    });
  });

  test('the rows of a new view are sent as a table, if their properties are the same', () => {
    const view = { rows: rows('a', 'b'), jobs: { rows: rows('c'), at: 1 }, none: [] };
    const patch = diff(undefined, view);
    expect(patch).toEqual({
      n: {
        rows: {
          t: [
            ['id', 'state'],
            [
              ['a', 'PENDING'],
              ['b', 'PENDING'],
            ],
          ],
        },
        jobs: { n: { rows: { t: [['id', 'state'], [['c', 'PENDING']]] }, at: { v: 1 } } },
        none: { v: [] },
      },
    });
    expect(applyPatch(undefined, sent(patch))).toEqual(view);
  });

  test.each([
    ['other properties', [{ a: 1 }, { b: 1 }]],
    [
      'another order',
      [
        { a: 1, b: 2 },
        { b: 1, a: 2 },
      ],
    ],
    ['one more', [{ a: 1 }, { a: 1, b: 2 }]],
    ['one that is undefined', [{ a: 1 }, { a: undefined }]],
    ['no objects', [1, 2]],
    ['__proto__', [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":2}')]],
  ] as [string, unknown[]][])('rows with %s are sent as they are', (_, items) => {
    expect(diff(undefined, items)).toEqual({ v: items });
  });

  test('what has not changed keeps its identity', () => {
    const before = { rows: rows('a', 'b', 'c'), other: { deep: [1] } };
    const after = { rows: [...rows('new'), before.rows[1], before.rows[2]], other: { deep: [1] } };
    const here = sent(before);
    const next = applyPatch(here, sent(diff(before, after))) as typeof before;
    expect(next.rows.map(({ id }) => id)).toEqual(['new', 'b', 'c']);
    expect(next.rows[1]).toBe(here.rows[1]);
    expect(next.other).toBe(here.other);
  });

  test('a log that goes on costs its new lines', () => {
    const lines = Array.from({ length: 2_000 }, (_, index) => `line ${index % 1_500}`);
    const after = [...lines.slice(2), 'one more', 'and one'];
    expect(diff(lines, after)).toEqual({ a: [[2, 1_998], { v: ['one more', 'and one'] }] });
  });

  test('nothing is sent if nothing changed', () => {
    const before = { rows: rows('a'), none: [], text: 'x' };
    expect(diff(before, sent(before))).toBeNull();
  });

  test.each([
    [{}, null],
    [{}, 7],
    [{}, { a: [] }],
    [[], { o: {} }],
    [undefined, { t: 7 }],
    [undefined, { t: [['a'], [[1, 2]]] }],
    [undefined, { t: [['a'], [1]] }],
    [undefined, { t: [['__proto__'], [[{}]]] }],
    [['a'], { a: [[0, 2]] }],
    [['a'], { a: [[-1, 1]] }],
    [['a'], { a: [{ i: 1, p: { v: 1 } }] }],
    [['a'], { a: [7] }],
    [undefined, { o: {} }],
  ])('of %j no %j can be made', (before, patch) => {
    expect(() => applyPatch(before, patch)).toThrow(TypeError);
  });

  test('a name cannot reach the prototype', () => {
    const next = applyPatch({}, JSON.parse('{"o":{"__proto__":{"v":{"polluted":true}}}}')) as object;
    expect(Object.getPrototypeOf(next)).toBe(Object.prototype);
    expect(Object.keys(next)).toEqual(['__proto__']);
  });
});
