import { loadSettings, type Settings } from '../../src/config/index.js';

/** The settings of an empty profile with these over them, by key: `{'slurm.mem': '4G'}`. */
export function someSettings(over: Readonly<Record<string, unknown>> = {}): Settings {
  return loadSettings({ profile: 'default', flags: over, env: {}, configDir: '/nonexistent' }).settings;
}
