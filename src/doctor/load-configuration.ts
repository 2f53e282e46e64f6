import { existsSync } from 'node:fs';
import { checkValue, configDirectory, findSetting, loadSettings, type Settings } from '../config/index.js';
import { ConfigError, type LoadOptions, type Origin } from '../config/index.js';
import { readProfile } from '../config/profile.js';
import type { ConfigurationFacts } from './check.js';

/** A directory without profiles. */
const nowhere = '/nonexistent/dsa-slurm';

/**
 * Loads settings even if some are invalid: those get their default, and configuration.valid reports them.
 * @throws ConfigError if a flag is invalid, or the profile does not exist
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
    // without a file, the invalid value is in the environment, and the defaults can be checked
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
