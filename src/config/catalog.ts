import type * as z from 'zod';
import { maskUrl } from '../base/log.js';
import { settingInfo, settingsSchema, type SettingInfo } from './schema.js';

/** One setting, as everything but the type `Settings` sees it. */
export interface Setting {
  /** `slurm.partition` */
  key: string;
  group: string;
  name: string;
  kind: Kind;
  type: z.ZodType;
  info: Omit<SettingInfo, 'default'> & { default?: unknown };
  /** Environment names in order: our own, then the legacy ones. */
  env: readonly [string, ...string[]];
}

export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'table';

/** Every setting, in the order of the schema. */
export const catalog: readonly Setting[] = Object.entries(settingsSchema.shape).flatMap(([group, members]) =>
  Object.entries(members.shape as Record<string, z.ZodType>).map(([name, type]) => {
    const info = settingInfo.get(type);
    if (info === undefined) throw new Error(`${group}.${name} is not described`);
    const env = [ownName(group, name), ...(info.legacyEnv ?? [])] as const;
    return {
      key: `${group}.${name}`,
      group,
      name,
      kind: kindOf(type),
      type,
      info,
      env,
    };
  }),
);

/** Settings that are passed to sbatch for every job, with the option of each. */
export const siteDefaults: readonly { setting: Setting; option: string }[] = catalog.flatMap((setting) =>
  setting.info.sbatchOption === undefined ? [] : [{ setting, option: setting.info.sbatchOption }],
);

export function findSetting(key: string): Setting | undefined {
  return catalog.find((setting) => setting.key === key);
}

/** Complaints about a value, or the value as it is to be used. */
export function checkValue(
  setting: Setting,
  value: unknown,
): { ok: true; value: unknown } | { ok: false; complaints: string[] } {
  const result = setting.type.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, complaints: [...new Set(result.error.issues.map(complaint))] };
}

/** Where it is about a part of a list's item, which part that is: `must be text (mem of number 2)`. */
function complaint({ message, path: [index, name] }: z.core.$ZodIssue): string {
  const isPart = typeof index === 'number' && name !== undefined;
  return isPart ? `${message} (${String(name)} of number ${index + 1})` : message;
}

/** A value that may be shown: passwords masked. */
export function shownValue(setting: Setting, value: unknown): unknown {
  if (setting.info.secret !== true || typeof value !== 'string') return value;
  // a result backend without an address has no password, and stays readable
  return /^(rpc|amqps?)$/.test(value) ? value : maskUrl(value);
}

/** A value as one line, in the form that `config set` reads back. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => /^[^,[{\s][^,]*$/.test(String(item)))
  ) {
    return value.join(',');
  }
  return JSON.stringify(value);
}

/** `slurm.gpuPartition` is `DSA_SLURM_GPU_PARTITION`: the groups `slurm` and `dirs` add no word of their own. */
function ownName(group: string, name: string): string {
  const words = group === 'slurm' || group === 'dirs' ? [name] : [group, name];
  return `DSA_SLURM_${words
    .join('_')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
}

function kindOf(type: z.ZodType): Kind {
  const { def } = type as z.core.$ZodType & { def: z.core.$ZodTypeDef & { innerType?: z.ZodType } };
  switch (def.type) {
    case 'nullable':
      if (def.innerType === undefined) throw new Error('a nullable of nothing');
      return kindOf(def.innerType);
    case 'string':
    case 'enum':
      return 'text';
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return 'list';
    case 'record':
      return 'table';
    default:
      throw new Error(`settings of type ${def.type} have no text form yet`);
  }
}
