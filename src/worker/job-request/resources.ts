import type { Settings } from '../../config/schema.js';
import { mergeOptions, type SbatchOption } from '../../slurm/options.js';
import type { GirderSlurmSettings } from './girder-slurm-settings.js';
import { matchingRule, type Rule } from './rules.js';

/** Who said that a job gets this. */
export type ResourceOrigin =
  /** A setting of the profile, such as `slurm.partition`. */
  | { from: 'profile'; setting: string }
  /** A setting of Girder, such as `worker_slurm.partition`. */
  | { from: 'girder'; setting: string }
  /** A rule of `slurm.rules`, counted from 1. */
  | { from: 'rule'; rule: number }
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
  subject: { image: string; cli: string };
  /** Girder's own settings for Slurm; null where they are not read. */
  girder: GirderSlurmSettings | null;
  /** The task's own options, already checked by `takeUserOptions`. */
  userOptions: readonly SbatchOption[];
}

/**
 * What a run asks Slurm for. Each layer goes over the one before it: the profile's defaults, Girder's settings, the first rule
 * that matches, the task's own options; below all of them is the submit script.
 *
 * Girder's settings are over the profile because who changes them on Girder's page, while the worker runs, expects to see
 * them at work, as the defaults of the installation never were more than defaults. A rule is over both: it was written for
 * just these images by who knows the cluster.
 */
export function chooseResources(
  slurm: Settings['slurm'],
  { gpu, subject, girder, userOptions }: ResourceNeeds,
): { resources: readonly Resource[]; rule: number | null } {
  const match = matchingRule(slurm.rules, { ...subject, gpu });
  const resources = mergeOptions([
    ...usualResources(slurm, gpu),
    ...(girder === null ? [] : girderResources(girder, gpu)),
    ...(match === null ? [] : ruleResources(match)),
    ...userOptions.map(([option, value]): Resource => ({ option, value, origin: { from: 'user' } })),
  ]);
  return { resources, rule: match?.number ?? null };
}

/** What the profile gives a run of which nothing else is known. */
export function usualResources(slurm: Settings['slurm'], gpu: boolean): Resource[] {
  const said: readonly [option: string, setting: Exclude<keyof Settings['slurm'], 'rules'>][] = [
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

function girderResources(girder: GirderSlurmSettings, gpu: boolean): Resource[] {
  const gpuText = girder.gpuCount === null ? null : `gpu:${girder.gpuCount}`;
  const gresIsGpu = /(^|,)gpu(:|$)/.test(girder.gresConfig ?? '');
  const said: readonly [option: string, setting: string, value: string | null][] = [
    ['partition', 'partition', girder.partition],
    ['partition', 'gpu_partition', gpu ? girder.gpuPartition : null],
    ['account', 'account', girder.account],
    ['qos', 'qos', girder.qos],
    ['time', 'time', girder.time],
    ['mem', 'mem', girder.mem],
    ['cpus-per-task', 'cpus', girder.cpus],
    ['ntasks', 'ntasks', girder.ntasks],
    ['gres', 'gpu', gpu ? gpuText : null],
    // a text that names GPUs is for jobs that have one, any other for those that have none
    ['gres', 'gres_config', gresIsGpu === gpu ? girder.gresConfig : null],
  ];
  return said.flatMap(([option, setting, value]) =>
    value === null ? [] : [{ option, value, origin: { from: 'girder', setting: `worker_slurm.${setting}` } }],
  );
}

function ruleResources({ rule, number }: { rule: Rule; number: number }): Resource[] {
  const said: readonly [option: string, value: string | number | undefined][] = [
    ['partition', rule.partition],
    ['account', rule.account],
    ['qos', rule.qos],
    ['time', rule.time],
    ['mem', rule.mem],
    ['cpus-per-task', rule.cpus],
    ['ntasks', rule.ntasks],
    ['gres', rule.gres],
    ['constraint', rule.constraint],
    ['reservation', rule.reservation],
  ];
  return said.flatMap(([option, value]) =>
    value === undefined ? [] : [{ option, value: String(value), origin: { from: 'rule', rule: number } }],
  );
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
    case 'rule':
      return `rule ${origin.rule} of slurm.rules`;
    case 'girder':
      return `Girder: ${origin.setting}`;
    case 'profile':
      return origin.setting;
  }
}
