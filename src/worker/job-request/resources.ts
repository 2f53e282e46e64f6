import type { Settings } from '../../config/schema.js';
import { mergeOptions, type SbatchOption } from '../../slurm/options.js';
import type { GirderSlurmSettings } from './girder-slurm-settings.js';
import { matchingRule, type Rule } from './rules.js';

/** Where a resource of a job comes from. */
export type ResourceOrigin =
  /** A setting of the profile, such as `slurm.partition`. */
  | { from: 'profile'; setting: string }
  /** A setting of Girder, such as `worker_slurm.partition`. */
  | { from: 'girder'; setting: string }
  /** A rule of `slurm.rules`, counted from 1. */
  | { from: 'rule'; rule: number }
  /** The user, with `--slurm_…` among the arguments. */
  | { from: 'user' };

/** One sbatch option, by its long name without dashes; `value` is null for a flag. */
export interface Resource {
  option: string;
  value: string | null;
  origin: ResourceOrigin;
}

export interface ResourceNeeds {
  gpu: boolean;
  subject: { image: string; cli: string };
  /** Girder's settings for Slurm; null if they are unavailable. */
  girder: GirderSlurmSettings | null;
  /** The task's own options, validated by `takeUserOptions`. */
  userOptions: readonly SbatchOption[];
}

/**
 * The resources that a run requests. Later layers override earlier ones: `#SBATCH` lines of the submit script, the
 * profile's defaults, Girder's settings, the first matching rule, the task's own options.
 *
 * Girder's settings override the profile because an administrator who changes them on Girder's page expects them to take
 * effect. A rule overrides both, because it was written for specific images by someone who knows the cluster.
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

/** The profile's default resources. */
export function usualResources(slurm: Settings['slurm'], gpu: boolean): Resource[] {
  const layer: readonly [option: string, setting: Exclude<keyof Settings['slurm'], 'rules'>][] = [
    ['partition', gpu && slurm.gpuPartition !== null ? 'gpuPartition' : 'partition'],
    ['account', 'account'],
    ['qos', 'qos'],
    ['time', 'time'],
    ['mem', 'mem'],
    ['cpus-per-task', 'cpus'],
    ['gres', gpu ? 'gpuGres' : 'gres'],
    ['constraint', 'constraint'],
  ];
  return layer.flatMap(([option, setting]) => {
    const value = slurm[setting];
    return value === null
      ? []
      : [{ option, value: String(value), origin: { from: 'profile', setting: `slurm.${setting}` } }];
  });
}

/** A kind of job that results from the profile: its usual jobs, those that need a GPU, those of a rule. */
export interface JobKind {
  /** Display name, in the plural. */
  what: string;
  gpu: boolean;
  /** The rule of `slurm.rules`, counted from 1; null if none. */
  rule: number | null;
  resources: readonly Resource[];
}

/** All kinds of jobs that a profile leads to, as far as Girder and the task request nothing else. */
export function jobKinds(slurm: Settings['slurm']): JobKind[] {
  const usual = (gpu: boolean, what: string): JobKind => ({
    what,
    gpu,
    rule: null,
    resources: usualResources(slurm, gpu),
  });
  return [
    usual(false, 'jobs'),
    ...(slurm.gpuPartition === null ? [] : [usual(true, 'jobs that need a GPU')]),
    ...slurm.rules.map((rule, index): JobKind => {
      const { gpu, resources } = usual(rule.gpu === true, '');
      return {
        what: `jobs of rule ${index + 1} of slurm.rules`,
        gpu,
        rule: index + 1,
        resources: mergeOptions([...resources, ...ruleResources({ rule, number: index + 1 })]),
      };
    }),
  ];
}

function girderResources(girder: GirderSlurmSettings, gpu: boolean): Resource[] {
  const gpuText = girder.gpuCount === null ? null : `gpu:${girder.gpuCount}`;
  const gresIsGpu = /(^|,)gpu(:|$)/.test(girder.gresConfig ?? '');
  const layer: readonly [option: string, setting: string, value: string | null][] = [
    ['partition', 'partition', girder.partition],
    ['partition', 'gpu_partition', gpu ? girder.gpuPartition : null],
    ['account', 'account', girder.account],
    ['qos', 'qos', girder.qos],
    ['time', 'time', girder.time],
    ['mem', 'mem', girder.mem],
    ['cpus-per-task', 'cpus', girder.cpus],
    ['ntasks', 'ntasks', girder.ntasks],
    ['gres', 'gpu', gpu ? gpuText : null],
    // a value that names GPUs applies to jobs with a GPU, any other value to jobs without
    ['gres', 'gres_config', gresIsGpu === gpu ? girder.gresConfig : null],
  ];
  return layer.flatMap(([option, setting, value]) =>
    value === null ? [] : [{ option, value, origin: { from: 'girder', setting: `worker_slurm.${setting}` } }],
  );
}

function ruleResources({ rule, number }: { rule: Rule; number: number }): Resource[] {
  const layer: readonly [option: string, value: string | number | undefined][] = [
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
  return layer.flatMap(([option, value]) =>
    value === undefined ? [] : [{ option, value: String(value), origin: { from: 'rule', rule: number } }],
  );
}

/** A resource as an sbatch option. */
export function asOption({ option, value }: Resource): SbatchOption {
  return [option, value];
}

/** The origin of a resource, for screens. */
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
