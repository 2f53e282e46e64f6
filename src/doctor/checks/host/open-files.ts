import { readFile } from 'node:fs/promises';
import type { Check, Finding } from '../../check.js';
import { ok, skip, warn } from '../../check-result.js';

/** @param limits `/proc/self/limits`; Node has already raised its own soft limit to the hard one. Pure. */
export function judgeOpenFiles(limits: string, inFlight: number): Finding {
  const match = /^Max open files\s+(\d+|unlimited)/m.exec(limits);
  if (match?.[1] === undefined) return skip('the system does not tell its limit on open files');
  const limit = match[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(match[1]);
  const wanted = 512 + 2 * inFlight;
  if (limit >= wanted) return ok(`${match[1]} open files`);
  return warn(
    `This user may have ${limit} files open; ${inFlight} runs in flight can need ${wanted}.`,
    `ulimit -n ${wanted}   # or LimitNOFILE=${wanted} in the unit, or: dsa-slurm config set worker.inFlight ${Math.max(1, Math.floor((limit - 512) / 2))}`,
  );
}

export const openFiles: Check = {
  id: 'host.open-files',
  group: 'host',
  title: 'limit on open files',
  run: async ({ settings }) =>
    judgeOpenFiles(await readFile('/proc/self/limits', 'utf8').catch(() => ''), settings.worker.inFlight),
};
