import { existsSync } from 'node:fs';
import { checkValue, configDirectory, findSetting, loadSettings, type Settings } from '../config/index.js';
import { ConfigError, type LoadOptions, type Origin } from '../config/index.js';
import { readProfile } from '../config/profile.js';
import type { ConfigurationFacts } from './check.js';

/** No profile is ever kept here. */
const nowhere = '/nonexistent/dsa-slurm';

/**
 * Settings to look at, also where some are wrong: each of those is at its default, and reported by configuration.valid.
 * @throws ConfigError if nothing can be looked at: a flag is wrong, or there is no such profile
 */
export function loadForDoctor(options: LoadOptions): {
  settings: Settings;
  configuration: ConfigurationFacts;
} {
  try {
    const { settings, origins, path, warnings } = loadSettings(options);
    return { settings, configuration: { path, origins, warnings, problems: [] } };
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return loadAround(options, thrown);
  }
}

function loadAround(options: LoadOptions, error: ConfigError) {
  const { profile, env, flags, configDir = configDirectory(env) } = options;
  const file = readProfile(configDir, profile);
  const hopeless = error.problems.some(({ source }) => source.startsWith('flag'));
  if (hopeless || !existsSync(file.path)) {
    // without a file, what is wrong stands in the environment, and the defaults can be looked at
    if (hopeless || profile !== 'default') throw error;
  }
  const badNames = new Set(error.problems.map(({ source }) => /^environment (.+)$/.exec(source)?.[1]));
  const goodEnv = Object.fromEntries(Object.entries(env).filter(([name]) => !badNames.has(name)));
  const fromProfile = new Map<string, unknown>();
  const state = findSetting('dirs.state')?.info.derived?.from({ env: goodEnv, profile });
  for (const [key, value] of [['dirs.state', state] as const, ...file.values]) {
    const setting = findSetting(key);
    if (setting === undefined || setting.env.some((name) => (goodEnv[name] ?? '') !== '')) continue;
    if (checkValue(setting, value).ok) fromProfile.set(key, value);
  }
  const loaded = loadSettings({
    profile: 'default',
    configDir: nowhere,
    env: goodEnv,
    flags: { ...Object.fromEntries(fromProfile), ...flags },
  });
  const origins: Record<string, Origin> = { ...loaded.origins };
  for (const key of fromProfile.keys()) {
    if (key in flags) continue;
    origins[key] = file.values.has(key) ? { source: 'profile', name: file.path } : { source: 'default' };
  }
  return {
    settings: loaded.settings,
    configuration: {
      path: file.path,
      origins,
      warnings: [...file.warnings, ...loaded.warnings],
      problems: error.problems,
    },
  };
}
