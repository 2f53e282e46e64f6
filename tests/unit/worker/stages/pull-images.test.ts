import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import PQueue from 'p-queue';
import { expect, onTestFinished, test } from 'vitest';

import { sifFileName } from '../../../../src/apptainer/image-name.js';
import { loadSettings } from '../../../../src/config/load.js';
import { silentGirderJob } from '../../../../src/girder/jobs/job.js';
import { pullImages } from '../../../../src/worker/stages/pull-images.js';
import type { WorkerServices } from '../../../../src/worker/worker-services.js';
import {
  createTestSetup,
  sendJson,
  startScriptedServer,
  type Script,
} from '../../../support/scripted-http.js';

/** Adds one image, whose file is there and which has one CLI, to a Girder that answers by a script. */
async function ingest(script: Script) {
  const directory = await mkdtemp(join(tmpdir(), 'dsa-slurm-ingest-'));
  const girder = await startScriptedServer(script);
  const setup = createTestSetup();
  onTestFinished(async () => {
    await setup.connections.close();
    await girder.close();
    await rm(directory, { recursive: true });
  });
  const image = 'example/small:v1';
  await writeFile(join(directory, sifFileName(image)), '');
  const { settings } = loadSettings({
    profile: 'default',
    configDir: directory,
    env: {},
    flags: { 'dirs.images': directory },
  });
  const lane = new PQueue({ concurrency: 1 });
  const troubles: { problem: string | null; laneIsFree: boolean }[] = [];
  const start = setup.clock.monotonic();
  const services = {
    settings,
    runStore: { record: async () => undefined, recordVolatile: () => undefined, mustGet: () => ({}) },
    apptainer: { probe: async () => ({ labels: {} }) },
    imageIngest: { clis: async () => [{ name: 'Small', type: 'xml', text: '<executable/>' }] },
    girderSetup: () => setup,
    transferPatience: () => ({
      tokenExpiresAt: setup.clock.now() + 7 * 24 * 60 * 60_000,
      nonGirderMs: 24 * 60 * 60_000,
      onProblem: (problem: string | null) => troubles.push({ problem, laneIsFree: lane.pending === 0 }),
    }),
    lanes: { ingesting: lane },
  } as unknown as WorkerServices;
  const { signal } = new AbortController();
  const context = { id: 'run-1', girderJob: silentGirderJob(), signal, stopping: signal };
  const access = { apiUrl: `${girder.origin}/api/v1`, token: 'SECRET' };
  const wanted = { images: [image], folderId: '0'.repeat(24), access, pull: false };
  const verdict = await pullImages(context, wanted, services);
  return { verdict, troubles, heard: girder.heard, waitedMs: setup.clock.monotonic() - start };
}

test('an hour without Girder is waited out, and other runs can use the queue meanwhile', async () => {
  let lost = 0;
  const { verdict, troubles, waitedMs } = await ingest((response) => {
    lost += 1;
    if (lost <= 70) response.destroy();
    else sendJson(response, { _id: '1'.repeat(24), name: 'x' });
  });
  expect(verdict).toEqual({ outcome: 'succeeded', reason: null });
  expect(waitedMs).toBeGreaterThan(30 * 60_000);
  expect(troubles[0]?.problem).toMatch(/could not be reached/);
  expect(troubles.at(-1)?.problem).toBeNull();
  expect(troubles.every(({ laneIsFree }) => laneIsFree)).toBe(true);
});

test('a persistent Girder server error fails the run within minutes, not after a day', async () => {
  const { verdict, waitedMs } = await ingest((response) =>
    sendJson(response, { type: 'internal', message: 'An unexpected error occurred on the server.' }, 500),
  );
  expect(verdict.outcome).toBe('failed');
  expect(verdict.reason).toMatch(/^Not added: .*500/);
  expect(waitedMs).toBeLessThan(10 * 60_000);
});

test('an image that Girder refuses fails the run without a retry', async () => {
  const { verdict, heard } = await ingest((response) =>
    sendJson(response, { type: 'access', message: 'Write access denied for folder.' }, 403),
  );
  expect(verdict.outcome).toBe('failed');
  expect(heard.filter(({ method }) => method === 'POST')).toHaveLength(1);
});
