import { expect, test } from 'vitest';
import { createGirderHealth } from '../../../../src/worker/reporting/girder-health.js';

test('one run that gets through does not hide the trouble of another', () => {
  const troubles = createGirderHealth();
  expect(troubles.problem()).toBeNull();
  troubles.set('a', 'report', 'A is away.');
  troubles.set('b', 'report', 'B is away.');
  troubles.set('c', 'report', 'A is away.');
  expect(troubles.problem()).toBe('A is away. (1 more run has other trouble)');
  troubles.set('a', 'report', 'A is away.');
  troubles.set('a', 'report', null);
  expect(troubles.problem()).toBe('B is away. (1 more run has other trouble)');
  troubles.set('b', 'report', null);
  expect(troubles.problem()).toBe('A is away.');
  troubles.set('c', 'report', null);
  troubles.set('c', 'report', null);
  expect(troubles.problem()).toBeNull();
});
