import { InvalidArgumentError, type Command } from 'commander';
import { DsaSlurmError } from '../base/errors.js';
import type { LoadedSettings } from '../config/load.js';
import { printLine, type CliContext, type GlobalFlags } from './context.js';

/** Flags that stand for one setting, by the name that commander gives their value. */
const settingFlags = {
  queue: { flag: '--queue', key: 'broker.queues' },
  inFlight: { flag: '--in-flight', key: 'worker.inFlight' },
  logLevel: { flag: '--log-level', key: 'log.level' },
  logFile: { flag: '--log-file', key: 'log.file' },
} as const;

type SettingFlagValues = Partial<Record<keyof typeof settingFlags, string | string[]>> & {
  set?: Record<string, string>;
};

/** The flags with which settings can be given for one start. */
export function addSettingsFlags(command: Command): void {
  command
    .option('--queue <name>', 'queue to take tasks from; may be given several times', append)
    .option('--in-flight <n>', 'runs that may be unfinished at one time')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
    .option('--log-file <path>', 'write the log there');
  addSetFlag(command);
}

/** `--set`, for commands that need no flag of their own for any setting. */
export function addSetFlag(command: Command): void {
  command.option('--set <key=value>', 'any setting, for this start; may be given several times', addPair);
}

/** The settings for a command, from its flags, the environment and the profile. Warnings go to standard error. */
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
        `${key} can hold a password, and every user of this machine can read flags.`,
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

/** The flags that were given, as an argument vector for another start with the same settings. */
export function settingsArguments(command: Command): string[] {
  const given = command.optsWithGlobals<SettingFlagValues>();
  const named = Object.entries(settingFlags).flatMap(([name, { flag }]) => {
    const value = given[name as keyof typeof settingFlags];
    return (value === undefined ? [] : [value].flat()).map((one) => `${flag}=${one}`);
  });
  const pairs = Object.entries(given.set ?? {}).map(([key, value]) => `--set=${key}=${value}`);
  return [...named, ...pairs];
}

function append(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function addPair(pair: string, before: Record<string, string> | undefined): Record<string, string> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (key === undefined || value === undefined) {
    throw new InvalidArgumentError('It must look like slurm.partition=batch.');
  }
  return { ...before, [key]: value };
}
