import { expect, test } from 'vitest';
import { createGirderHealth } from '../../../../src/worker/reporting/girder-health.js';

test('the success of one run does not hide the problem of another', () => {
  const health = createGirderHealth();
  expect(health.problem()).toBeNull();
  health.set('a', 'report', 'A is away.');
  health.set('b', 'report', 'B is away.');
  health.set('c', 'report', 'A is away.');
  expect(health.problem()).toBe('A is away. (1 more run has other problems)');
  health.set('a', 'report', 'A is away.');
  health.set('a', 'report', null);
  expect(health.problem()).toBe('B is away. (1 more run has other problems)');
  health.set('b', 'report', null);
  expect(health.problem()).toBe('A is away.');
  health.set('c', 'report', null);
  health.set('c', 'report', null);
  expect(health.problem()).toBeNull();
});
