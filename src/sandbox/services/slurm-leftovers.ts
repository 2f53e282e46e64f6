import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Ends what outlived the daemons: slurmstepd and the processes of jobs. They are known by their environment, which
 * names this cluster's slurm.conf, never by their program's name. Processes that merely use the cluster (a console, a
 * shell) carry no job id and are left alone.
 */
export async function killLeftovers(conf: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (performance.now() < deadline && killOnce(conf) > 0) await delay(50);
}

/** One round of it, for an `exit` listener. @returns how many processes there were */
export function killOnce(conf: string): number {
  const pids = leftovers(conf);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it was faster
    }
  }
  return pids.length;
}

/** Process ids that belong to a job or a step of the cluster of this slurm.conf. */
export function leftovers(conf: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && belongsTo(name, conf))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

function belongsTo(pid: string, conf: string): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    if (!environment.includes(`SLURM_CONF=${conf}`)) return false;
    if (environment.some((entry) => entry.startsWith('SLURM_JOB_ID='))) return true;
    return readFileSync(`/proc/${pid}/comm`, 'latin1').startsWith('slurmstepd');
  } catch {
    return false; // gone, or somebody else's
  }
}
