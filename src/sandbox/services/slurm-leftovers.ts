import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Ends what outlived the daemons: slurmstepd and the processes of jobs. They are known by their environment, which
 * names this cluster's slurm.conf, never by their program's name. Processes that merely use the cluster (a console, a
 * shell) carry no job id and are left alone.
 */
export async function killLeftovers(conf: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (performance.now() < deadline) {
    const pids = await leftovers(conf);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it was faster
      }
    }
    await delay(50);
  }
}

/** Process ids that belong to a job or a step of the cluster of this slurm.conf. */
export async function leftovers(conf: string): Promise<number[]> {
  const entries = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    entries.map(async (name) => ((await belongsTo(name, conf)) ? [Number(name)] : [])),
  );
  return found.flat().filter((pid) => pid !== process.pid);
}

async function belongsTo(pid: string, conf: string): Promise<boolean> {
  try {
    const environment = (await readFile(`/proc/${pid}/environ`, 'latin1')).split('\0');
    if (!environment.includes(`SLURM_CONF=${conf}`)) return false;
    if (environment.some((entry) => entry.startsWith('SLURM_JOB_ID='))) return true;
    const comm = await readFile(`/proc/${pid}/comm`, 'latin1');
    return comm.startsWith('slurmstepd');
  } catch {
    return false; // gone, or somebody else's
  }
}
