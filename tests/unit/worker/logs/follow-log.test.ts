import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { systemClock } from '../../../../src/base/clock.js';
import { silentLog } from '../../../../src/base/log.js';
import type { LogMark } from '../../../../src/girder/jobs/log-buffer.js';
import { silentGirderJob } from '../../../../src/girder/jobs/job.js';
import { followLog } from '../../../../src/worker/logs/follow-log.js';
import type { StageContext, Tools } from '../../../../src/worker/worker-services.js';

test('bytes that are no text, in a tag that is not over yet, do not lead behind the beginning of the log', async () => {
  const logFile = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-follow-')), 'log');
  await writeFile(logFile, Buffer.concat([Buffer.from('<filter-progress>'), Buffer.alloc(40, 0xff)]));
  const marks: (LogMark | undefined)[] = [];
  const girderJob = { ...silentGirderJob(), log: (_: string, mark?: LogMark) => void marks.push(mark) };
  const context = { id: 'a', girderJob, stopping: new AbortController().signal } as unknown as StageContext;
  const tools = {
    clock: systemClock,
    log: silentLog(),
    settings: { girder: { reportSeconds: 1 } },
    book: {
      get: () => ({ logOffset: 0, submission: { logFile } }),
      note: () => undefined,
    },
  } as unknown as Tools;
  await followLog(context, tools, AbortSignal.abort());
  expect(marks).toEqual([
    { source: 'log', at: 0 },
    { source: 'log', at: 56 },
  ]);
});
