import { readFile } from 'node:fs/promises';
import type { Check, Finding } from '../../check.js';
import { ok, skip, warn } from '../../check-result.js';

/** @param limits text of `/proc/self/limits`; Node has already raised its soft limit to the hard limit */
export function judgeOpenFiles(limits: string, inFlight: number): Finding {
  const match = /^Max open files\s+(\d+|unlimited)/m.exec(limits);
  if (match?.[1] === undefined) return skip('the limit on open files is not known');
  const limit = match[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(match[1]);
  const required = 512 + 2 * inFlight;
  if (limit >= required) return ok(`${match[1]} open files`);
  return warn(
    `The limit is ${limit} open files; ${inFlight} concurrent runs can need ${required}.`,
    `ulimit -n ${required}   # or LimitNOFILE=${required} in the systemd unit, or: dsa-slurm config set worker.inFlight ${Math.max(1, Math.floor((limit - 512) / 2))}`,
  );
}

export const openFiles: Check = {
  id: 'host.open-files',
  group: 'host',
  title: 'limit on open files',
  run: async ({ settings }) =>
    judgeOpenFiles(await readFile('/proc/self/limits', 'utf8').catch(() => ''), settings.worker.inFlight),
};
