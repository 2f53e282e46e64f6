import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';

import { execArguments } from '../../src/apptainer/exec-args.js';
import { systemClock } from '../../src/base/clock.js';
import { createRunner } from '../../src/base/command.js';
import { silentLog } from '../../src/base/log.js';
import { packageFile } from '../../src/base/package-file.js';
import { startSlurm, type SlurmService } from '../../src/sandbox/services/slurm.js';
import { argumentsFileContent, batchEnvironment, timeWarning } from '../../src/slurm/batch-script.js';
import { exitRecordFile, readExitRecord } from '../../src/slurm/exit-record.js';
import type { SbatchOption } from '../../src/slurm/options.js';
import { createExecutor } from '../../src/worker/executor/create-executor.js';
import { someSettings } from '../support/settings.js';
import { openBench, type Bench } from './support/bench.js';

// Whether a program in a real container still has its files and its time when its run is canceled or its time is up.

/** Of the image and of the directory of its program: nothing else has it. */
const name = `slow-${randomUUID()}`;
let bench: Bench;
let sif: string;
let slurm: SlurmService;
let slurmDir: string;
beforeAll(async () => {
  bench = await openBench();
  const program = `#!/bin/sh
trap 'echo "asked to end"; sleep 2; cat /opt/last-words; exit 7' TERM
echo ready
while true; do sleep 0.1; done
`;
  sif = await bench.sif(name, {
    files: { [`/opt/${name}/run`]: program, '/opt/last-words': 'my last words\n' },
  });
  slurmDir = await mkdtemp(join(tmpdir(), 'dsa-'));
  slurm = await startSlurm({ dir: slurmDir, nodes: 1, log: silentLog(), env: process.env });
});
afterAll(async () => {
  await slurm.stop();
  await rm(slurmDir, { recursive: true, force: true });
  await bench.close();
});

/** Processes that have the image open or name it or its program: the runtime, the container, what serves the image's files. */
async function processesOfIt(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const files = await Promise.all(
      descriptors.map(async (fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
    );
    if ([command, ...files].some((text) => text.includes(name))) found.push(command.replaceAll('\0', ' '));
  }
  return found;
}

/** A job that runs the image's program, as the worker would submit it. */
async function start(
  kind: 'slurm' | 'local',
  { key, options = [], warning = null }: { key: string; options?: SbatchOption[]; warning?: number | null },
) {
  const dir = join(bench.dir, key);
  await mkdir(dir);
  const env = { ...slurm.env, HOME: process.env['HOME'] };
  const executor = createExecutor({
    settings: someSettings({
      'worker.executor': kind,
      'slurm.pollSeconds': 1,
      'dirs.state': dir,
      'dirs.logs': dir,
    }),
    cancelSignal: 'QUIT',
    run: createRunner({ env }),
    env,
    onCommand: () => undefined,
    clock: systemClock,
    log: silentLog(),
  });
  executor.tracker.start();
  onTestFinished(async () => executor.tracker.stop());
  const exec = execArguments({
    sif,
    workingDirectory: '/',
    binds: [],
    gpu: false,
    isolation: { off: new Set(), home: '/', replacesEnvironment: true, space: 'script' },
    options: [],
  });
  const [argumentsFile, exitRecord, logFile] = [
    join(dir, 'arguments'),
    exitRecordFile(dir, key),
    join(dir, 'log'),
  ];
  await writeFile(argumentsFile, argumentsFileContent([...exec, `/opt/${name}/run`]));
  const submitted = await executor.submit({
    key,
    directory: dir,
    logFile,
    options,
    script: packageFile('templates/singularity.slurm'),
    scriptArgs: [],
    env: batchEnvironment({ apptainer: bench.apptainer, exitRecord, argumentsFile, room: 'layer', warning }),
  });
  if (submitted.kind !== 'submitted') throw new Error(JSON.stringify(submitted));
  const { jobId } = submitted;
  const log = async (): Promise<string> => readFile(logFile, 'utf8').catch(() => '');
  await vi.waitFor(async () => expect(await log()).toContain('ready'), { timeout: 60_000 });
  await vi.waitFor(() => expect(executor.tracker.row(jobId)?.state.base).toBe('RUNNING'), {
    timeout: 30_000,
  });
  return { executor, jobId, log, exitRecord };
}

it.each(['slurm', 'local'] as const)(
  'a container of the executor %s has its time to end, and nothing of it goes on',
  async (kind) => {
    const { executor, jobId, log, exitRecord } = await start(kind, { key: kind });
    // the runtime, the program, and what serves the image's files
    const running = (await processesOfIt()).join('\n');
    expect(running).toContain('squashfuse');
    expect(running).toContain(`/opt/${name}/run`);

    expect(await executor.cancel([jobId])).toMatchObject({ ok: true });
    await vi.waitFor(
      async () =>
        expect(await executor.resolveEnd({ jobId, key: kind, exitRecord, trustRecord: true })).toMatchObject({
          kind: 'ended',
          outcome: 'canceled',
          state: { base: 'CANCELLED' },
        }),
      { timeout: 60_000, interval: 500 },
    );
    expect(await log()).toContain('asked to end\nmy last words\n');
    await vi.waitFor(async () => expect(await processesOfIt()).toEqual([]), { timeout: 30_000 });
  },
);

it('a container is asked to end before the time limit of its job', { timeout: 300_000 }, async () => {
  const { executor, jobId, log, exitRecord } = await start('slurm', {
    key: 'limit',
    options: [['time', '1'], timeWarning(5)],
    // Slurm's warning may come up to a minute early, when a job of this length has only begun
    warning: 0,
  });
  await vi.waitFor(
    async () =>
      expect(await readExitRecord(exitRecord)).toMatchObject({ exitCode: 7, jobId, reachedLimit: true }),
    { timeout: 120_000, interval: 500 },
  );
  expect(await log()).toContain('asked to end\nmy last words\n');
  expect(await processesOfIt()).toEqual([]);
  // its job waits for Slurm, which calls it TIMEOUT
  expect(executor.tracker.row(jobId)?.state.base).toBe('RUNNING');
  await vi.waitFor(() => expect(executor.tracker.row(jobId)?.state.base).toBe('TIMEOUT'), {
    timeout: 180_000,
    interval: 500,
  });
});
