import type { Command } from 'commander';
import { DsaSlurmError } from '../base/errors.js';
import type { LoadedSettings } from '../config/load.js';
import { collect, collectPair, printLine, type CliContext, type GlobalFlags } from './context.js';

/** Flags for single settings, by the attribute name that commander derives. */
const settingFlags = {
  queue: { flag: '--queue', key: 'broker.queues' },
  inFlight: { flag: '--in-flight', key: 'worker.inFlight' },
  logLevel: { flag: '--log-level', key: 'log.level' },
  logFile: { flag: '--log-file', key: 'log.file' },
} as const;

type SettingFlagValues = Partial<Record<keyof typeof settingFlags, string | string[]>> & {
  set?: Record<string, string>;
};

/** Adds the flags that override settings for one start. */
export function addSettingsFlags(command: Command): void {
  command
    .option('--queue <name>', 'queue to consume tasks from; may be repeated', collect)
    .option('--in-flight <n>', 'maximum number of unfinished runs')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
    .option('--log-file <path>', 'write the log to this file');
  addSetFlag(command);
}

/** Adds `--set`. */
export function addSetFlag(command: Command): void {
  command.option('--set <key=value>', 'override a setting; may be repeated', collectPair);
}

/** Loads the settings from a command's flags, the environment and the profile. Prints warnings to standard error. */
export async function settingsFor(
  command: Command,
  context: CliContext,
): Promise<LoadedSettings & { profile: string }> {
  const given = command.optsWithGlobals<GlobalFlags & SettingFlagValues>();
  const { findSetting, loadSettings } = await import('../config/index.js');
  const flags: Record<string, unknown> = { ...given.set };
  for (const key of Object.keys(flags)) {
    if (findSetting(key)?.info.secret === true) {
      throw new DsaSlurmError(
        'usage',
        `${key} can contain a password, and every user of this machine can read flags.`,
        {
          next: `Use the environment (${findSetting(key)?.env[0]}), or: dsa-slurm config set ${key} -`,
        },
      );
    }
  }
  const flagNames: Record<string, string> = {};
  for (const [name, { flag, key }] of Object.entries(settingFlags)) {
    const value = given[name as keyof typeof settingFlags];
    if (value === undefined) continue;
    flags[key] = value;
    flagNames[key] = flag;
  }
  const loaded = loadSettings({ profile: given.profile, flags, flagNames, env: context.env });
  for (const warning of loaded.warnings) printLine(context.stderr, `dsa-slurm: ${warning}`);
  return { ...loaded, profile: given.profile };
}

/** The given settings flags as an argument vector, to start another process with the same settings. */
export function settingsArguments(command: Command): string[] {
  const given = command.optsWithGlobals<SettingFlagValues>();
  const named = Object.entries(settingFlags).flatMap(([name, { flag }]) => {
    const value = given[name as keyof typeof settingFlags];
    return (value === undefined ? [] : [value].flat()).map((one) => `${flag}=${one}`);
  });
  const pairs = Object.entries(given.set ?? {}).map(([key, value]) => `--set=${key}=${value}`);
  return [...named, ...pairs];
}
