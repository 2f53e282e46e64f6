import { shellWord } from '../base/shell-text.js';
import { catalog, checkValue, findSetting, type Setting } from './catalog.js';
import { configDirectory, type DefaultContext } from './paths.js';
import { ConfigError, nearest, type ConfigProblem } from './config-error.js';
import { listProfiles, readProfile, unknownKey, type ProfileFile } from './profile.js';
import { readText } from './parse-value.js';
import type { Settings } from './schema.js';

/** Where a value came from: `name` is the flag, the environment name or the profile's file. */
export interface Origin {
  source: 'flag' | 'environment' | 'profile' | 'default';
  name?: string;
}

export interface LoadOptions {
  profile: string;
  /** Values by key, as text or as they are; undefined means not given. */
  flags: Readonly<Record<string, unknown>>;
  env: Readonly<Record<string, string | undefined>>;
  /** Default: see {@link configDirectory}. */
  configDir?: string;
  /** What the operator typed for a key, where it was not `--set`: `{'broker.queues': '--queue'}`. */
  flagNames?: Readonly<Record<string, string>>;
}

export interface LoadedSettings {
  settings: Settings;
  /** By key. */
  origins: Record<string, Origin>;
  /** The profile's file, whether or not it is there. */
  path: string;
  /** Whole sentences for the operator; nothing that stops the work. */
  warnings: string[];
}

/**
 * The settings of a profile: flag before environment before profile before default. Empty environment values count as
 * not set. Reads files and changes none.
 * @throws ConfigError with every problem at once
 */
export function loadSettings(options: LoadOptions): LoadedSettings {
  const { profile, flags, env, configDir = configDirectory(env) } = options;
  const file = readProfile(configDir, profile);
  const problems = fileProblems(file, profile, configDir);
  for (const key of Object.keys(flags)) {
    if (findSetting(key) === undefined) problems.push(unknownKey(key, 'flag --set'));
  }

  const settings: Record<string, Record<string, unknown>> = {};
  const origins: Record<string, Origin> = {};
  for (const setting of catalog) {
    const found = find(setting, options, file);
    const checked = checkValue(setting, found.value);
    if (checked.ok) {
      (settings[setting.group] ??= {})[setting.name] = checked.value;
      origins[setting.key] = found.origin;
    } else if (found.origin.source !== 'profile') {
      problems.push(...wrongValue(setting, found.origin, checked.complaints, profile));
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    settings: settings as Settings,
    origins,
    path: file.path,
    warnings: [...file.warnings, ...unknownNames(env)],
  };
}

/** `environment LOGS`, `profile /home/…/default.json`, `flag --set`, `default` */
export function originText({ source, name }: Origin): string {
  return name === undefined ? source : `${source} ${name}`;
}

function find(
  setting: Setting,
  { profile, flags, env, flagNames = {} }: LoadOptions,
  file: ProfileFile,
): { value: unknown; origin: Origin } {
  const flag = flags[setting.key];
  if (flag !== undefined) {
    return {
      value: typeof flag === 'string' ? readText(setting, flag) : flag,
      origin: { source: 'flag', name: flagNames[setting.key] ?? '--set' },
    };
  }
  for (const name of setting.env) {
    const text = env[name];
    if (text === undefined || text === '') continue;
    // Python takes any text for true, `false` as well: an old run.sh must keep its meaning
    const legacyTrue = setting.kind === 'boolean' && name !== setting.env[0];
    return { value: legacyTrue ? true : readText(setting, text), origin: { source: 'environment', name } };
  }
  if (file.values.has(setting.key)) {
    return { value: file.values.get(setting.key), origin: { source: 'profile', name: file.path } };
  }
  return { value: defaultValue(setting, { env, profile }), origin: { source: 'default' } };
}

function defaultValue({ info }: Setting, context: DefaultContext): unknown {
  return info.derived === undefined ? structuredClone(info.default) : info.derived.from(context);
}

/** All that is wrong with the file, also where a flag or the environment goes before it. */
function fileProblems(file: ProfileFile, profile: string, configDir: string): ConfigProblem[] {
  if (file.broken !== null) return [file.broken];
  if (!file.exists && profile !== 'default') return [noSuchProfile(file.path, profile, configDir)];
  const problems = [...file.unknown];
  for (const [key, value] of file.values) {
    const setting = findSetting(key);
    if (setting === undefined) continue;
    const checked = checkValue(setting, value);
    const origin: Origin = { source: 'profile', name: file.path };
    if (!checked.ok) problems.push(...wrongValue(setting, origin, checked.complaints, profile));
  }
  return problems;
}

function noSuchProfile(path: string, profile: string, configDir: string): ConfigProblem {
  const others = listProfiles(configDir);
  const meant = nearest(profile, others);
  return {
    key: null,
    source: `profile ${path}`,
    message: `There is no profile ${profile}.`,
    fix:
      meant === undefined
        ? `There are: ${others.length === 0 ? 'none yet' : others.join(', ')}. The first setting makes one: dsa-slurm --profile ${profile} config set <key> <value>`
        : `Did you mean ${meant}?`,
  };
}

function wrongValue(
  setting: Setting,
  origin: Origin,
  complaints: readonly string[],
  profile: string,
): ConfigProblem[] {
  return complaints.map((complaint) => ({
    key: setting.key,
    source: originText(origin),
    message: `${setting.key} ${complaint}.`,
    fix: fixFor(setting, origin, profile),
  }));
}

function fixFor({ key, info }: Setting, { source, name }: Origin, profile: string): string {
  switch (source) {
    case 'flag':
      return `Write for example: ${name === '--set' ? `--set ${key}=` : `${name} `}${shellWord(info.example)}`;
    case 'environment':
      return `Unset ${name}, or write for example: ${name}=${shellWord(info.example)}`;
    case 'profile': {
      const named = profile === 'default' ? '' : `--profile ${profile} `;
      return `Run for example: dsa-slurm ${named}config set ${key} ${info.secret === true ? '-' : shellWord(info.example)}`;
    }
    case 'default':
      return `Set ${key}, for example to ${info.example}`;
  }
}

/** A misspelled name of ours would be passed over in silence; the legacy names are not ours to judge. */
function unknownNames(env: LoadOptions['env']): string[] {
  const known = ['DSA_SLURM_CONFIG_DIR', ...catalog.map((setting) => setting.env[0])];
  const words = known.map((name) => name.slice('DSA_SLURM_'.length));
  return (
    Object.keys(env)
      // the wizard reads the names of its own questions
      .filter((name) => name.startsWith('DSA_SLURM_') && !name.startsWith('DSA_SLURM_INIT_'))
      .filter((name) => !known.includes(name))
      .map((name) => {
        const meant = nearest(name.slice('DSA_SLURM_'.length), words);
        const hint = meant === undefined ? '' : ` Did you mean DSA_SLURM_${meant}?`;
        return `The environment name ${name} means nothing here.${hint}`;
      })
  );
}
