import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { processesIn, startSandbox, type RunningSandbox } from '../support/sandbox-program.js';

let parent: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'dsa-stop-'));
});

afterAll(async () => {
  await rm(parent, { recursive: true, force: true });
});

async function emptyDirectory(): Promise<string> {
  return mkdtemp(join(parent, 'tmp-'));
}

async function says(sandbox: RunningSandbox, step: string): Promise<void> {
  await vi.waitFor(() => expect(sandbox.text()).toContain(step), { timeout: 100_000, interval: 5 });
}

/** What the sandbox prints at each of its steps; the batch itself is stopped in sandbox.test.ts. */
const steps = [
  'Creating the sandbox',
  'Starting RabbitMQ, and Slurm',
  'Slurm has 4 idle nodes',
  'Preparing Girder, Celery and the demo image',
  'Publishing 4 demo analyses',
];

describe.concurrent('Ctrl-C leaves no process and no file behind', () => {
  test.each(steps)('at "%s"', async (step) => {
    const tmp = await emptyDirectory();
    const sandbox = startSandbox({ HOME: parent, TMPDIR: tmp }, '--count', '4');
    await says(sandbox, step);
    sandbox.signal('SIGINT');
    expect(await sandbox.ended).toBe(130);
    expect(sandbox.text()).toMatch(/Stopped\.\n$/);
    expect(await readdir(tmp)).toEqual([]);
    expect(await processesIn(tmp)).toEqual([]);
  });

  test('not even a second one, while everything is being stopped', async () => {
    const tmp = await emptyDirectory();
    const sandbox = startSandbox({ HOME: parent, TMPDIR: tmp }, '--count', '4');
    await says(sandbox, 'Publishing');
    sandbox.signal('SIGTERM');
    await says(sandbox, 'Stopping the services');
    sandbox.signal('SIGTERM');
    expect(await sandbox.ended).toBe(130);
    expect(await processesIn(tmp)).toEqual([]);
    expect(await readdir(tmp)).toEqual([]);
  });
});
