import fc from 'fast-check';
import { expect, test } from 'vitest';

import { expandHostlist } from '../../../../src/slurm/commands/hostlist.js';

test.each([
  ['', []],
  ['n1', ['n1']],
  ['n1,gpu-2', ['n1', 'gpu-2']],
  ['n[1-3,7],gpu1', ['n1', 'n2', 'n3', 'n7', 'gpu1']],
  ['n[08-10]', ['n08', 'n09', 'n10']],
  ['r[1-2]n[1-2]', ['r1n1', 'r1n2', 'r2n1', 'r2n2']],
  ['n[1-2]-ib', ['n1-ib', 'n2-ib']],
  ['n[3-1]', []],
  ['n[1-', ['n[1-']],
])('%j', (list, nodes) => {
  expect(expandHostlist(list)).toEqual(nodes);
});

test('truncates a list of millions of nodes', () => {
  expect(expandHostlist('n[1-999999999],x[1-9]')).toHaveLength(20_000);
  expect(expandHostlist('a[1-9999]b[1-9999]c[1-9999]')).toHaveLength(20_000);
});

test('returns a list of strings for any input', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('n', '1', '9', '[', ']', '-', ',', ' ') }), (list) => {
      expect(expandHostlist(list).every((node) => typeof node === 'string')).toBe(true);
    }),
  );
});
