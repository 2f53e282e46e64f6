import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { expect, onTestFinished, test } from 'vitest';

import { endStraySubmissions } from '../../../src/slurm/stray-submissions.js';

/** Something that looks like an sbatch at work. */
async function startLike(name: string, comment = ''): Promise<ChildProcess> {
  const program = 'setInterval(() => undefined, 1000)';
  const child = spawn(process.execPath, ['-e', program, '--', `--job-name=${name}`, `--comment=${comment}`]);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child;
}

test('kills an sbatch that was left behind, but not that of another run', async () => {
  const key = `test-${process.pid}`;
  const stray = await startLike(`dsa-slurm-${key}`);
  const other = await startLike(`dsa-slurm-${key}-2`);
  const over = once(stray, 'exit');
  expect(await endStraySubmissions({ key })).toEqual([stray.pid]);
  expect(await over).toEqual([null, 'SIGKILL']);
  expect(other.exitCode ?? other.signalCode).toBeNull();
  expect(await endStraySubmissions({ key })).toEqual([]);
});

test('leaves the sbatch of another worker with the same task running', async () => {
  const key = `test-${process.pid}-3`;
  const own = await startLike(`dsa-slurm-${key}`, `dsa-slurm:${key}:00000001`);
  const foreign = await startLike(`dsa-slurm-${key}`, `dsa-slurm:${key}:00000002`);
  expect(await endStraySubmissions({ key, mark: '00000001' })).toEqual([own.pid]);
  expect(foreign.exitCode ?? foreign.signalCode).toBeNull();
});
