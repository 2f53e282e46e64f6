import { expect, test } from 'vitest';

import { arrayRest, jobIdWithTasks } from '../../../src/slurm/array-rest.js';

test.each([
  ['104_[2-300%1]', '104_[2-300]', 299],
  ['104_[7]', '104_[7]', 1],
  ['53_[3-9:2%1]', '53_[3,5,7,9]', 4],
  ['55_[2,4,7-8%1]', '55_[2,4,7-8]', 4],
  ['55_[...]', null, null],
  ['55_[2,4-...]', null, null],
  ['55_[1-9000000:2]', null, null],
])('%s is %s for other commands, %s tasks', (text, id, count) => {
  expect(arrayRest(text)).toEqual({ array: text.split('_')[0], id, count });
});

test.each(['42', '42_7', '42+1'])('%s does not stand for pending array tasks', (text) => {
  expect(arrayRest(text)).toBeNull();
  expect(jobIdWithTasks(text)).toBe(text);
});

test('shows the number of tasks', () => {
  expect(jobIdWithTasks('104_[2-300%1]')).toBe('104_[2-300%1] (299 tasks)');
  expect(jobIdWithTasks('104_[7]')).toBe('104_[7] (1 task)');
});
