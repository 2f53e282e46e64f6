import type * as z from 'zod';
import { masked, maskUrl } from '../base/text/redact.js';
import { settingsSchema } from './schema.js';
import { settingInfo, type SettingInfo } from './setting-info.js';

/** One setting of the schema. */
export interface Setting {
  /** `slurm.partition` */
  key: string;
  group: string;
  name: string;
  kind: Kind;
  type: z.ZodType;
  info: Omit<SettingInfo, 'default'> & { default?: unknown };
  /** Environment variables by precedence: DSA_SLURM_…, then the legacy ones. */
  env: readonly [string, ...string[]];
}

type Kind = 'text' | 'number' | 'boolean' | 'list' | 'table';

/** All settings, in the order of the schema. */
export const catalog: readonly Setting[] = Object.entries(settingsSchema.shape).flatMap(([group, members]) =>
  Object.entries(members.shape as Record<string, z.ZodType>).map(([name, type]) => {
    const info = settingInfo.get(type);
    if (info === undefined) throw new Error(`${group}.${name} has no description`);
    const env = [environmentName(group, name), ...(info.legacyEnv ?? [])] as const;
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

/** Validates a value. @returns the value to use, or why it is invalid, as ends of sentences that begin with the key */
export function checkValue(
  setting: Setting,
  value: unknown,
): { ok: true; value: unknown } | { ok: false; errors: string[] } {
  const result = setting.type.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, errors: [...new Set(result.error.issues.map(issueMessage))] };
}

/** Names the item and key for an issue inside a list: `must be a string (mem of item 2)`. */
function issueMessage({ message, path: [index, name] }: z.core.$ZodIssue): string {
  const isPart = typeof index === 'number' && name !== undefined;
  return isPart ? `${message} (${String(name)} of item ${index + 1})` : message;
}

/** The value with passwords masked. */
export function maskedValue(setting: Setting, value: unknown): unknown {
  if (setting.info.secret !== true || typeof value !== 'string') return value;
  // the path of a webhook is what makes it secret
  if (/^https?:/i.test(value)) return `${URL.parse(value)?.origin ?? ''}/${masked}`;
  // a result backend that is only a scheme contains no password
  return /^(rpc|amqps?)$/.test(value) ? value : maskUrl(value);
}

/** The value as one line that `config set` accepts. */
export function formatValue(value: unknown): string {
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

/** `DSA_SLURM_GPU_PARTITION` for `slurm.gpuPartition`: the groups `slurm` and `dirs` are left out. */
function environmentName(group: string, name: string): string {
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
      if (def.innerType === undefined) throw new Error('a nullable type without an inner type');
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
      throw new Error(`settings of type ${def.type} cannot be parsed from text`);
  }
}
