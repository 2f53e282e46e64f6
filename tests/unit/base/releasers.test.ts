import { expect, test } from 'vitest';

import { silentLog } from '../../../src/base/log.js';
import { createReleasers } from '../../../src/base/releasers.js';

test('everything is released, the last first, whatever fails in between', async () => {
  const done: string[] = [];
  const releasers = createReleasers(silentLog());
  releasers.add('first', () => void done.push('first'));
  releasers.add('second', async () => {
    await Promise.resolve();
    done.push('second');
    throw new Error('no room');
  });
  releasers.add('third', () => {
    done.push('third');
    throw new Error('not there');
  });
  await releasers.release();
  expect(done).toEqual(['third', 'second', 'first']);
});

test('nothing is released twice', async () => {
  let times = 0;
  const releasers = createReleasers(silentLog());
  releasers.add('it', () => void (times += 1));
  await Promise.all([releasers.release(), releasers.release()]);
  await releasers.release();
  expect(times).toBe(1);
});

test('what is acquired during the release is released as well', async () => {
  const done: string[] = [];
  const releasers = createReleasers(silentLog());
  releasers.add('first', () => {
    done.push('first');
    releasers.add('late', () => void done.push('late'));
  });
  await releasers.release();
  releasers.add('later', () => void done.push('later'));
  await releasers.release();
  expect(done).toEqual(['first', 'late', 'later']);
});
