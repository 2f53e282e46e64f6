import { readdir, readFile } from 'node:fs/promises';

import { jobComment, jobName } from './job-identity.js';

/**
 * Ends every sbatch on this host that is still at work on the job of this key, and of this mark where there is one. One that a dead worker has left behind waits
 * for a slow controller for minutes, and would make a second job after the first look-up has found none. What it may have
 * sent is on its way like any other request.
 * @returns the processes that were ended; none where the system has no /proc, or hides it
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
      // it has ended, or is somebody else's
    }
  }
  return ended;
}
