import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { silentLog } from '../../../src/base/log.js';
import { createJobRecords, type JobRecord } from '../../../src/slurm/job-records.js';

const begin = 'job=42\nstart=1795462100\n';
const exit = 'exit=0\njob=42\nnode=n1\nstart=1795462100\nundisturbed=yes\nend=1795462119\n';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-records-'));
});
afterEach(async () => rm(dir, { recursive: true, force: true }));

/** Looks when the test says so. */
function open(directory: string | null = dir) {
  let wake: (() => void) | null = null;
  const sleep = async (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  const records = createJobRecords({ directory, clock: { sleep, monotonic: () => 5 }, log: silentLog() });
  return {
    ...records,
    async look() {
      await vi.waitFor(() => expect(wake).not.toBeNull());
      const again = wake;
      wake = null;
      again?.();
      await vi.waitFor(() => expect(wake).not.toBeNull());
    },
    isAsleep: () => wake !== null,
  };
}

/** As the batch script does it. */
async function write(name: string, content: string): Promise<void> {
  await writeFile(join(dir, `${name}.tmp`), content);
  await rename(join(dir, `${name}.tmp`), join(dir, name));
}

it('tells of each record once, and not of those of other runs', async () => {
  const { watch, look } = open();
  const told: JobRecord[] = [];
  await write('dsa-slurm-other.exit', exit);
  watch('run-1', (record) => told.push(record));
  await look();
  expect(told).toEqual([]);
  await write('dsa-slurm-run-1.begin', begin);
  await look();
  await look();
  expect(told).toEqual([{ kind: 'begin', jobId: '42' }]);
  await write('dsa-slurm-run-1.exit', exit);
  await look();
  await look();
  expect(told).toHaveLength(2);
  expect(told[1]).toMatchObject({ kind: 'exit', record: { jobId: '42', exitCode: 0, undisturbed: true } });
});

it('tells of a record that was there before, and of that of a second attempt', async () => {
  await write('dsa-slurm-run-1.exit', exit);
  const { watch, look } = open();
  const codes: number[] = [];
  watch('run-1', (record) => record.kind === 'exit' && codes.push(record.record.exitCode));
  await vi.waitFor(() => expect(codes).toEqual([0]));
  // the job was requeued: its script removes the record, and writes another one
  await rm(join(dir, 'dsa-slurm-run-1.exit'));
  await look();
  await write('dsa-slurm-run-1.exit', exit.replace('exit=0', 'exit=3'));
  await look();
  expect(codes).toEqual([0, 3]);
});

it('reads a record again that is not complete yet, as network file systems show it', async () => {
  const { watch, look } = open();
  const told: JobRecord[] = [];
  await write('dsa-slurm-run-1.exit', '');
  watch('run-1', (record) => told.push(record));
  await look();
  expect(told).toEqual([]);
  await write('dsa-slurm-run-1.exit', exit);
  await look();
  expect(told).toHaveLength(1);
});

it('goes on after the directory could not be read', async () => {
  const { watch, look } = open(join(dir, 'logs'));
  const told: JobRecord[] = [];
  watch('run-1', (record) => told.push(record));
  await look();
  await rename(dir, `${dir}-away`);
  const other = await mkdtemp(join(tmpdir(), 'dsa-records-'));
  await rename(other, join(`${dir}-away`, 'logs'));
  await writeFile(join(`${dir}-away`, 'logs', 'dsa-slurm-run-1.exit'), exit);
  await rename(`${dir}-away`, dir);
  await look();
  expect(told).toHaveLength(1);
});

it('looks only while somebody waits, and not at all without a directory', async () => {
  const { watch, look, isAsleep } = open();
  const told: JobRecord[] = [];
  const end = watch('run-1', (record) => told.push(record));
  await look();
  end();
  await write('dsa-slurm-run-1.exit', exit);
  await vi.waitFor(() => expect(isAsleep()).toBe(true));
  expect(told).toEqual([]);
  const none = open(null);
  none.watch('run-1', () => undefined);
  expect(none.isAsleep()).toBe(false);
});

it('knows which watched jobs have begun', async () => {
  const { watch, look, begun } = open();
  const end = watch('run-1', () => undefined);
  await write('dsa-slurm-run-1.begin', begin);
  expect(begun('42')).toBeNull();
  await look();
  expect(begun('42')).toEqual({ key: 'run-1', at: 5 });
  end();
  expect(begun('42')).toBeNull();
});
