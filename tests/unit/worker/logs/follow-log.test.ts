import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { systemClock } from '../../../../src/base/clock.js';
import { silentLog } from '../../../../src/base/log.js';
import type { LogMark } from '../../../../src/girder/jobs/log-buffer.js';
import { silentGirderJob } from '../../../../src/girder/jobs/job.js';
import { followLog } from '../../../../src/worker/logs/follow-log.js';
import type { StageContext, WorkerServices } from '../../../../src/worker/worker-services.js';

/** Everything that goes to Girder of a log that is complete, read from `offset` on. */
async function followed(content: Buffer | string, offset = 0) {
  const logFile = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-follow-')), 'log');
  await writeFile(logFile, content);
  const [texts, marks]: [string[], (LogMark | undefined)[]] = [[], []];
  const girderJob = {
    ...silentGirderJob(),
    log: (text: string, mark?: LogMark) => {
      texts.push(text);
      marks.push(mark);
    },
    room: async () => undefined,
  };
  const context = { id: 'a', girderJob, stopping: new AbortController().signal } as unknown as StageContext;
  const services = {
    clock: systemClock,
    log: silentLog(),
    settings: { girder: { reportSeconds: 1 } },
    runStore: {
      get: () => ({ logOffset: offset, submission: { logFile } }),
      recordVolatile: () => undefined,
    },
  } as unknown as WorkerServices;
  await followLog(context, services, AbortSignal.abort());
  return { text: texts.join(''), marks };
}

test('invalid UTF-8 in an open tag does not cause a negative offset', async () => {
  const content = Buffer.concat([Buffer.from('<filter-progress>'), Buffer.alloc(40, 0xff)]);
  expect((await followed(content)).marks).toEqual([
    { source: 'log', at: 0 },
    { source: 'log', at: 56 },
  ]);
});

const passwd = "WARNING: passwd file doesn't exist in container, not updating\n";
const group = "WARNING: group file doesn't exist in container, not updating\n";

test('warnings of Apptainer about a missing /etc/passwd and /etc/group are not sent', async () => {
  const { text, marks } = await followed(`${passwd}${group}Reading the slide\n`);
  expect(text).toBe('Reading the slide\n');
  expect(marks.at(-1)).toEqual({ source: 'log', at: passwd.length + group.length + 18 });
  expect((await followed(passwd + group)).text).toBe('');
});

test('the same text from an analysis is sent', async () => {
  const own = `Reading the slide\n${passwd}`;
  expect((await followed(own)).text).toBe(own);
  expect((await followed(own, 18)).text).toBe(passwd);
  const other = 'WARNING: passwd file is odd\n';
  expect((await followed(other)).text).toBe(other);
});
