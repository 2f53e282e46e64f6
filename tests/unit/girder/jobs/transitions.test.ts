import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isAllowed, isFinal, pathTo } from '../../../../src/girder/jobs/transitions.js';

const fixture = new URL('../../../fixtures/contract/transitions.json', import.meta.url);
const measured = Object.entries(
  JSON.parse(readFileSync(fixture, 'utf8')) as Record<string, [number, unknown] | string>,
).flatMap(([key, answer]) => {
  const match = /^(\w+) (\d+)->(\d+)$/.exec(key);
  if (match === null || typeof answer === 'string') return [];
  const [, handler = '', from, to] = match;
  return [{ handler, from: Number(from), to: Number(to), allowed: answer[0] === 200 }];
});

describe('isAllowed', () => {
  it('agrees with every transition measured on a real Girder', () => {
    expect(measured.length).toBeGreaterThan(300);
    const wrong = measured.filter(
      ({ handler, from, to, allowed }) => isAllowed(handler, from, to) !== allowed,
    );
    expect(wrong).toEqual([]);
  });
});

describe('pathTo', () => {
  it.each([
    ['celery_handler', 0, 4, [1, 4]],
    ['worker_handler', 0, 4, [1, 4]],
    ['other', 0, 4, [1, 4]],
    ['celery_handler', 1, 4, [4]],
    ['celery_handler', 0, 2, [2]],
    ['worker_handler', 0, 2, [1, 2]],
    ['celery_handler', 1, 3, [2, 3]],
    ['celery_handler', 822, 3, [823, 3]],
    ['celery_handler', 820, 5, [2, 5]],
    ['celery_handler', 824, 5, [5]],
    ['worker_handler', 0, 5, [1, 5]],
    ['celery_handler', 2, 2, []],
    ['celery_handler', 824, 3, null],
    ['celery_handler', 821, 3, null],
    ['celery_handler', 823, 5, null],
    ['celery_handler', 4, 3, null],
    ['celery_handler', 99, 4, null],
  ])('%s from %i to %i: %j', (handler, from, to, way) => {
    expect(pathTo(handler, from, to)).toEqual(way);
  });

  it('uses allowed transitions only', () => {
    for (const { handler, from, to } of measured) {
      let at = from;
      for (const step of pathTo(handler, from, to) ?? []) {
        expect(isAllowed(handler, at, step), `${handler} ${at}->${step}`).toBe(true);
        at = step;
      }
    }
  });
});

it('isFinal is true for three statuses', () => {
  expect([0, 1, 2, 3, 4, 5, 820, 821, 822, 823, 824].filter(isFinal)).toEqual([3, 4, 5]);
});
