import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { systemClock } from '../../../src/base/clock.js';
import { silentLog } from '../../../src/base/log.js';
import type { PieceOnItsWay } from '../../../src/girder/job-news.js';
import { silentGirderJob } from '../../../src/girder/job.js';
import { followLog } from '../../../src/worker/follow-log.js';
import type { StageContext, Tools } from '../../../src/worker/tools.js';

test('bytes that are no text, in a tag that is not over yet, do not lead behind the beginning of the log', async () => {
  const logFile = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-follow-')), 'log');
  await writeFile(logFile, Buffer.concat([Buffer.from('<filter-progress>'), Buffer.alloc(40, 0xff)]));
  const marks: (number | undefined)[] = [];
  const girderJob = { ...silentGirderJob(), log: (_: string, mark?: number) => void marks.push(mark) };
  const context = { id: 'a', girderJob, stopping: new AbortController().signal } as unknown as StageContext;
  const tools = {
    clock: systemClock,
    log: silentLog(),
    settings: { girder: { reportSeconds: 1 } },
    book: {
      get: () => ({ logOffset: 0, logOnItsWay: null, pieceOnItsWay: null, submission: { logFile } }),
      note: () => undefined,
    },
  } as unknown as Tools;
  await followLog(context, tools, AbortSignal.abort());
  expect(marks).toEqual([0, 56]);
});

test.each<[string, string | null, PieceOnItsWay | null, string]>([
  ['has it', 'first\nsecond\n', null, 'third\n'],
  ['does not have it', 'first\n', null, 'second\nthird\n'],
  ['cannot be asked', null, null, 'second\nthird\n'],
  // a line from before that is the same: only the length of the log can tell
  ['has the same from before', 'first\nsecond\n', { before: 13, length: 7 }, 'second\nthird\n'],
  ['has it again', 'first\nsecond\nsecond\n', { before: 13, length: 7 }, 'third\n'],
  ['has it with words of ours', 'first\nsecond\nours\n', { before: 6, length: 12 }, 'third\n'],
  ['has been written to by others', 'first\nwords\nsecond\n', { before: 6, length: 7 }, 'third\n'],
  ['never knew its length', 'first\nsecond\n', { before: null, length: 7 }, 'third\n'],
])('the piece that was on its way when the worker died: Girder %s', async (_, girderLog, piece, expected) => {
  const logFile = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-follow-')), 'log');
  await writeFile(logFile, 'first\nsec<filter-progress>1</filter-progress>ond\nthird\n');
  let sent = '';
  const recorded: unknown[] = [];
  const girderJob = {
    ...silentGirderJob(),
    log: (text: string) => void (sent += text),
    read: async () => {
      if (girderLog === null) throw new Error('away');
      return { status: 2, handler: '', log: [girderLog.slice(0, 8), girderLog.slice(8)] };
    },
  };
  const context = { id: 'a', girderJob, stopping: new AbortController().signal } as unknown as StageContext;
  const upTo = 'first\nsec<filter-progress>1</filter-progress>ond\n'.length;
  const tools = {
    clock: systemClock,
    log: silentLog(),
    settings: { girder: { reportSeconds: 1 } },
    book: {
      get: () => ({
        logOffset: 'first\n'.length,
        logOnItsWay: upTo,
        pieceOnItsWay: piece,
        submission: { logFile },
      }),
      record: async (id: string, event: unknown) => void recorded.push(id, event),
      note: () => undefined,
    },
  } as unknown as Tools;
  await followLog(context, tools, AbortSignal.abort());
  expect(sent).toBe(expected);
  // settled once and for all: the log of Girder goes on with other words
  expect(recorded).toEqual(expected === 'third\n' ? ['a', { type: 'log-sent', offset: upTo }] : []);
});
