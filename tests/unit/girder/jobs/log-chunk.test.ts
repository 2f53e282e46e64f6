import { expect, test } from 'vitest';

import { describeChunk, isInLog } from '../../../../src/girder/jobs/log-chunk.js';

const second = 'second\n';

test.each<[string, string, string, number | null, boolean]>([
  ['is its end', second, 'first\nsecond\n', 6, true],
  ['lacks it', second, 'first\n', 6, false],
  // the same line existed before: only the length of the log can tell
  ['has the same from before', second, 'first\nsecond\n', 13, false],
  ['has it again', second, 'first\nsecond\nsecond\n', 13, true],
  ['has it and later words', second, 'first\nsecond\nlater\n', 6, true],
  ['has words that came before it', second, 'first\nwords\nsecond\n', 6, true],
  ['has only words of others since', second, 'first\nwords\n', 6, false],
  ['had an unknown length', second, 'first\nsecond\n', null, true],
  ['had an unknown length, and lacks it', second, 'first\n', null, false],
  ['was shortened', second, 'rest\nsecond\n', 4_000_000, true],
  ['is shorter than the piece', second, 'a', null, false],
  ['is empty', second, '', 0, false],
  ['has it with characters of two units', 'é漢🔬\n', 'first\né漢🔬\n', 6, true],
])('a piece of which the log %s', (_, piece, log, before, expected) => {
  const entries = [log.slice(0, 8), log.slice(8)];
  expect(isInLog(entries, describeChunk(piece, before))).toBe(expected);
});
