import { execFileSync } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, expect, it } from 'vitest';

import { readExitRecord } from '../../../src/slurm/exit-record.js';

let path: string;

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'dsa-slurm-record-')), 'job.exit');
});

it('reads what the batch script writes', async () => {
  await writeFile(path, 'exit=3\njob=42\nnode=n1\nstart=1\nend=2\n');
  expect(await readExitRecord(path)).toMatchObject({ exitCode: 3, jobId: '42' });
});

it('reads the length of the log, if the script records it', async () => {
  await writeFile(path, 'exit=0\njob=42\nnode=n1\nstart=1\nlog=512\nend=2\n');
  expect(await readExitRecord(path)).toMatchObject({ logBytes: 512 });
  await writeFile(path, 'exit=0\njob=42\nnode=n1\nstart=1\nlog=\nend=2\n');
  expect(await readExitRecord(path)).toMatchObject({ exitCode: 0, logBytes: null });
});

it('reads what the job used, as far as the script could measure it', async () => {
  await writeFile(path, 'exit=0\njob=42\nnode=n1\nstart=10\ncpu=2500\nmemory=1048576\noom_kills=2\nend=12\n');
  expect((await readExitRecord(path))?.usage).toEqual({
    wallMs: 2_000,
    cpuMs: 2_500,
    memoryBytes: 1_048_576,
    cgroupMemoryBytes: null,
    oomKills: 2,
    cpus: null,
    grantedMemoryBytes: null,
    gpus: null,
    gpuMemoryBytes: null,
  });
  await writeFile(path, 'exit=0\njob=42\nnode=n1\nstart=10\nmemory=lots\nend=12\n');
  expect(await readExitRecord(path)).toMatchObject({ exitCode: 0, usage: null });
});

it('ignores a FIFO in its place, and does not wait for a writer', async () => {
  execFileSync('mkfifo', [path]);
  expect(await readExitRecord(path)).toBeNull();
}, 2_000);
