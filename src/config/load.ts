import { shellWord } from '../base/text/shell-text.js';
import { catalog, checkValue, findSetting, type Setting } from './catalog.js';
import { configDirectory, type DefaultContext } from './paths.js';
import { ConfigError, closestMatch, type ConfigProblem } from './config-error.js';
import { listProfiles, readProfile, unknownSetting, type ProfileFile } from './profile.js';
import { parseValue } from './parse-value.js';
import type { Settings } from './schema.js';

/** Where a value came from. `name` is the flag, the environment variable or the profile's path. */
export interface Origin {
  source: 'flag' | 'environment' | 'profile' | 'default';
  name?: string;
}

export interface LoadOptions {
  profile: string;
  /** Values by key, as text or typed; undefined means not given. */
  flags: Readonly<Record<string, unknown>>;
  env: Readonly<Record<string, string | undefined>>;
  /** Default: see {@link configDirectory}. */
  configDir?: string;
  /** Flags other than `--set`, by key, for messages: `{'broker.queues': '--queue'}`. */
  flagNames?: Readonly<Record<string, string>>;
}

export interface LoadedSettings {
  settings: Settings;
  /** By key. */
  origins: Record<string, Origin>;
  /** Path of the profile, whether or not it exists. */
  path: string;
  /** Complete sentences for the operator about minor problems. */
  warnings: string[];
}

/**
 * Loads the settings of a profile. Flags take precedence over the environment, the environment over the profile, and the
 * profile over defaults. Empty environment variables count as unset.
 * @throws ConfigError with every problem at once
 */
export function loadSettings(options: LoadOptions): LoadedSettings {
  const { profile, flags, env, configDir = configDirectory(env) } = options;
  const file = readProfile(configDir, profile);
  const problems = fileProblems(file, profile, configDir);
  for (const key of Object.keys(flags)) {
    if (findSetting(key) === undefined) problems.push(unknownSetting(key, 'flag --set'));
  }

  const settings: Record<string, Record<string, unknown>> = {};
  const origins: Record<string, Origin> = {};
  for (const setting of catalog) {
    const found = resolveValue(setting, options, file);
    const checked = checkValue(setting, found.value);
    if (checked.ok) {
      (settings[setting.group] ??= {})[setting.name] = checked.value;
      origins[setting.key] = found.origin;
    } else if (found.origin.source !== 'profile') {
      problems.push(...valueProblems(setting, found.origin, checked.errors, profile));
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    settings: settings as Settings,
    origins,
    path: file.path,
    warnings: [...file.warnings, ...unknownVariableWarnings(env)],
  };
}

/** `environment LOGS`, `profile /home/…/default.json`, `flag --set`, `default` */
export function formatOrigin({ source, name }: Origin): string {
  return name === undefined ? source : `${source} ${name}`;
}

function resolveValue(
  setting: Setting,
  { profile, flags, env, flagNames = {} }: LoadOptions,
  file: ProfileFile,
): { value: unknown; origin: Origin } {
  const flag = flags[setting.key];
  if (flag !== undefined) {
    return {
      value: typeof flag === 'string' ? parseValue(setting, flag) : flag,
      origin: { source: 'flag', name: flagNames[setting.key] ?? '--set' },
    };
  }
  for (const name of setting.env) {
    const text = env[name];
    if (text === undefined || text === '') continue;
    // Python treats any text as true, even `false`: an existing run.sh must keep its meaning
    const legacyTrue = setting.kind === 'boolean' && name !== setting.env[0];
    return { value: legacyTrue ? true : parseValue(setting, text), origin: { source: 'environment', name } };
  }
  if (file.values.has(setting.key)) {
    return { value: file.values.get(setting.key), origin: { source: 'profile', name: file.path } };
  }
  return { value: defaultValue(setting, { env, profile }), origin: { source: 'default' } };
}

function defaultValue({ info }: Setting, context: DefaultContext): unknown {
  return info.derived === undefined ? structuredClone(info.default) : info.derived.from(context);
}

/** All problems with the file, including those of values that a flag or the environment overrides. */
function fileProblems(file: ProfileFile, profile: string, configDir: string): ConfigProblem[] {
  if (file.broken !== null) return [file.broken];
  if (!file.exists && profile !== 'default') return [missingProfileProblem(file.path, profile, configDir)];
  const problems = [...file.unknown];
  for (const [key, value] of file.values) {
    const setting = findSetting(key);
    if (setting === undefined) continue;
    const checked = checkValue(setting, value);
    const origin: Origin = { source: 'profile', name: file.path };
    if (!checked.ok) problems.push(...valueProblems(setting, origin, checked.errors, profile));
  }
  return problems;
}

function missingProfileProblem(path: string, profile: string, configDir: string): ConfigProblem {
  const others = listProfiles(configDir);
  const suggestion = closestMatch(profile, others);
  return {
    key: null,
    source: `profile ${path}`,
    message: `There is no profile ${profile}.`,
    fix:
      suggestion === undefined
        ? `Existing profiles: ${others.length === 0 ? 'none' : others.join(', ')}. To create it: dsa-slurm --profile ${profile} config set <key> <value>`
        : `Did you mean ${suggestion}?`,
  };
}

function valueProblems(
  setting: Setting,
  origin: Origin,
  errors: readonly string[],
  profile: string,
): ConfigProblem[] {
  return errors.map((complaint) => ({
    key: setting.key,
    source: formatOrigin(origin),
    message: `${setting.key} ${complaint}.`,
    fix: fixFor(setting, origin, profile),
  }));
}

function fixFor({ key, info }: Setting, { source, name }: Origin, profile: string): string {
  switch (source) {
    case 'flag':
      return `Example: ${name === '--set' ? `--set ${key}=` : `${name} `}${shellWord(info.example)}`;
    case 'environment':
      return `Unset ${name}, or set it, for example: ${name}=${shellWord(info.example)}`;
    case 'profile': {
      const named = profile === 'default' ? '' : `--profile ${profile} `;
      return `Run, for example: dsa-slurm ${named}config set ${key} ${info.secret === true ? '-' : shellWord(info.example)}`;
    }
    case 'default':
      return `Set ${key}, for example, to ${info.example}`;
  }
}

/** Warnings about unknown `DSA_SLURM_…` variables, which are probably misspelled. */
function unknownVariableWarnings(env: LoadOptions['env']): string[] {
  const known = ['DSA_SLURM_CONFIG_DIR', ...catalog.map((setting) => setting.env[0])];
  const words = known.map((name) => name.slice('DSA_SLURM_'.length));
  return (
    Object.keys(env)
      // answers for init
      .filter((name) => name.startsWith('DSA_SLURM_') && !name.startsWith('DSA_SLURM_INIT_'))
      .filter((name) => !known.includes(name))
      .map((name) => {
        const suggestion = closestMatch(name.slice('DSA_SLURM_'.length), words);
        const hint = suggestion === undefined ? '' : ` Did you mean DSA_SLURM_${suggestion}?`;
        return `Ignoring unknown environment variable ${name}.${hint}`;
      })
  );
}
