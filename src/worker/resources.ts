import type { Settings } from '../config/schema.js';

/** The site's own sbatch options for a run, from the profile: by long option, without dashes. */
export function siteResources(slurm: Settings['slurm'], gpu: boolean): Record<string, string> {
  const options: [string, string | number | null][] = [
    ['partition', (gpu ? slurm.gpuPartition : null) ?? slurm.partition],
    ['account', slurm.account],
    ['qos', slurm.qos],
    ['time', slurm.time],
    ['mem', slurm.mem],
    ['cpus-per-task', slurm.cpus],
    ['gres', gpu ? slurm.gpuGres : slurm.gres],
    ['constraint', slurm.constraint],
  ];
  return Object.fromEntries(
    options.flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
  );
}
