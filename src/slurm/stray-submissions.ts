import { readdir, readFile } from 'node:fs/promises';

import { jobComment, jobName } from './job-identity.js';

/**
 * Kills every sbatch process on this host that is still submitting a job with this key (and mark). An sbatch left behind by a
 * dead worker waits for a slow controller for minutes, and would create a second job after the lookup found none. A
 * request that it has already sent is not affected.
 * @returns the ids of the killed processes; empty if /proc is missing or hidden
 */
export async function endStraySubmissions({
  key,
  mark,
}: {
  key: string;
  mark?: string | undefined;
}): Promise<number[]> {
  const argument = mark === undefined ? `--job-name=${jobName(key)}` : `--comment=${jobComment(key, mark)}`;
  const pids = (await readdir('/proc').catch(() => [])).map(Number).filter(Number.isInteger);
  const ended: number[] = [];
  for (const pid of pids) {
    if (pid === process.pid) continue;
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!words.split('\0').includes(argument)) continue;
    try {
      process.kill(pid, 'SIGKILL');
      ended.push(pid);
    } catch {
      // it has ended, or belongs to another user
    }
  }
  return ended;
}
