import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';

import { createGirderJob } from '../../../src/girder/jobs/job.js';
import { createReportLimits } from '../../../src/girder/jobs/report-limits.js';
import { readSession } from '../../../src/girder/api/requests-session.js';
import { followLog } from '../../../src/worker/logs/follow-log.js';
import type { StageContext, WorkerServices } from '../../../src/worker/worker-services.js';
import { createTestSetup, sendJson, startScriptedServer } from '../../support/scripted-http.js';

/** What Girder keeps of a log: as many entries as 4 MiB hold of the newest one's length (girder_jobs, models/job.py). */
const kept = 4 * 1024 * 1024;

/** A log file that is followed by the real reporter to a Girder that stores logs as Girder does. */
async function setUp() {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-lines-'));
  const logFile = join(dir, 'log');
  await writeFile(logFile, '');
  const entries: string[] = [];
  const girder = { entries, all: '', longest: 0, slow: 0 };
  const server = await startScriptedServer((response, { body }) => {
    const log = new URLSearchParams(body.toString()).get('log');
    if (log !== null && girder.slow > 0) {
      girder.slow -= 1;
      return void response.socket?.destroy();
    }
    if (log !== null) {
      entries.push(log);
      entries.splice(0, Math.max(0, entries.length - Math.floor(kept / log.length)));
      girder.all += log;
      girder.longest = Math.max(girder.longest, log.length);
    }
    sendJson(response, { status: 2, handler: 'celery_handler' });
  });
  const setup = createTestSetup();
  const girderJob = createGirderJob(
    { id: 'j', url: `${server.origin}/api/v1/job/j`, method: 'PUT', headers: {}, session: readSession(null) },
    {
      ...setup,
      limits: createReportLimits({ reportMs: 1, concurrency: 1 }),
      tokenExpiresAt: Infinity,
      finishPatienceMs: 0,
    },
  );
  onTestFinished(async () => {
    girderJob.close();
    await setup.connections.close();
    await server.close();
    await rm(dir, { recursive: true, force: true });
  });
  const context = { id: 'a', girderJob, stopping: new AbortController().signal } as unknown as StageContext;
  const services = {
    clock: setup.clock,
    log: setup.log,
    settings: { girder: { reportSeconds: 1 } },
    runStore: {
      get: () => ({ logOffset: 0, submission: { logFile } }),
      recordVolatile: () => undefined,
    },
  } as unknown as WorkerServices;
  return {
    girder,
    logFile,
    async follow(): Promise<void> {
      await followLog(context, services, AbortSignal.abort());
      await girderJob.flush();
    },
  };
}

test('a 10 MB line of invalid UTF-8 arrives complete at a slow Girder, in small chunks', async () => {
  const { girder, logFile, follow } = await setUp();
  const line = Buffer.concat([randomBytes(2_000_000), Buffer.from('é漢🔬\0'.repeat(800_000))]);
  await writeFile(logFile, line);
  girder.slow = 20;
  await follow();
  expect(girder.all).toBe(line.toString('utf8').replaceAll('\0', ''));
  expect(girder.longest).toBeLessThanOrEqual(1 << 15);
  // what is kept of it is its end, and nearly as much of it as Girder keeps of anything
  const end = girder.entries.join('');
  expect(girder.all.endsWith(end)).toBe(true);
  expect(end.length).toBeGreaterThan(0.9 * kept);
}, 30_000);

test('a burst of log text does not displace earlier short reports', async () => {
  const { girder, logFile, follow } = await setUp();
  for (let n = 0; n < 300; n += 1) girder.entries.push(`early report ${n}\n`);
  await writeFile(logFile, 'x'.repeat(1_000_000));
  await follow();
  expect(girder.entries[0]).toBe('early report 0\n');
  expect(girder.longest).toBeLessThanOrEqual(1 << 13);
});

test('the text that arrives equals the log, for any bytes and any growth', async () => {
  const odd = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('é', '漢', '🔬', '\0', '\ud800', '\r\n', ' ').map((text) => Buffer.from(text)),
    fc.constantFrom(...[...Buffer.from('漢🔬')].map((byte) => Buffer.from([byte]))),
  );
  const pieces = fc.array(
    fc.array(odd, { maxLength: 8 }).map((parts) => Buffer.concat(parts)),
    { maxLength: 4 },
  );
  const { girder, logFile, follow } = await setUp();
  await fc.assert(
    fc.asyncProperty(pieces, async (parts) => {
      girder.all = '';
      await writeFile(logFile, '');
      // an incomplete character at the very end is never sent
      parts.push(Buffer.from('.'));
      for (const part of parts) await appendFile(logFile, part);
      await follow();
      const whole = Buffer.concat(parts).toString('utf8').replaceAll('\0', '');
      expect(girder.all).toBe(whole);
    }),
    { numRuns: 300 },
  );
});
