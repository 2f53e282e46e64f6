import type { Settings } from '../config/schema.js';
import { mergeOptions, type SbatchOption } from '../slurm/options.js';

/** Who said that a job gets this. */
export type ResourceOrigin =
  /** A setting of the profile, such as `slurm.partition`. */
  | { from: 'profile'; setting: string }
  /** The user, with `--slurm_…` among the arguments. */
  | { from: 'user' };

/** One option of sbatch, by its long name without dashes; null for one without a value. */
export interface Resource {
  option: string;
  value: string | null;
  origin: ResourceOrigin;
}

export interface ResourceNeeds {
  gpu: boolean;
  /** The task's own options, already checked by `takeUserOptions`. */
  userOptions: readonly SbatchOption[];
}

/** What a run asks Slurm for: the site's defaults with the task's options over them. */
export function chooseResources(
  slurm: Settings['slurm'],
  { gpu, userOptions }: ResourceNeeds,
): readonly Resource[] {
  return mergeOptions([
    ...profileResources(slurm, gpu),
    ...userOptions.map(([option, value]): Resource => ({ option, value, origin: { from: 'user' } })),
  ]);
}

function profileResources(slurm: Settings['slurm'], gpu: boolean): Resource[] {
  const said: readonly [option: string, setting: keyof Settings['slurm']][] = [
    ['partition', gpu && slurm.gpuPartition !== null ? 'gpuPartition' : 'partition'],
    ['account', 'account'],
    ['qos', 'qos'],
    ['time', 'time'],
    ['mem', 'mem'],
    ['cpus-per-task', 'cpus'],
    ['gres', gpu ? 'gpuGres' : 'gres'],
    ['constraint', 'constraint'],
  ];
  return said.flatMap(([option, setting]) => {
    const value = slurm[setting];
    return value === null
      ? []
      : [{ option, value: String(value), origin: { from: 'profile', setting: `slurm.${setting}` } }];
  });
}

/** A resource as sbatch takes it. */
export function asOption({ option, value }: Resource): SbatchOption {
  return [option, value];
}

/** Who asked for a resource, for a screen. */
export function originText(origin: ResourceOrigin): string {
  switch (origin.from) {
    case 'user':
      return 'the task itself';
    case 'profile':
      return origin.setting;
  }
}
