import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { seenLive, statesPage } from '../../../src/slurm/docs.js';
import { stateRows } from '../../../src/slurm/states.js';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
/** Tables are padded by the formatter. */
const unpadded = (page: string): string => page.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');

it('docs/slurm-states.md is current (else: npm run docs)', () => {
  expect(unpadded(read('docs/slurm-states.md'))).toBe(unpadded(statesPage()));
});

it('states listed as tested live are tested live', () => {
  const test = read('tests/integration/worker/states.test.ts');
  const words = stateRows.map(({ word }) => word);
  // a job waits and runs in every test
  for (const word of seenLive) {
    expect(words).toContain(word);
    if (word !== 'PENDING' && word !== 'RUNNING') expect(test, word).toContain(word);
  }
});
