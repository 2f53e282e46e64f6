import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { DsaSlurmError } from '../base/errors.js';
import { printableJson } from '../base/printable-json.js';
import type { Origin, Setting } from '../config/index.js';
import { defineExplain } from './config-explain.js';
import { readAll, addExamples, printLine, type CliContext, type GlobalFlags } from './context.js';
import { addSetFlag, settingsFor } from './settings-flags.js';

export function define(command: Command, context: CliContext): void {
  addExamples(command, [
    ['dsa-slurm config show', 'print the settings, and where their values come from'],
    ['dsa-slurm config set slurm.partition batch', 'change the profile'],
    ['dsa-slurm config explain example/small:v1', 'what runs of an image request from Slurm'],
    ['dsa-slurm --profile lab config path', 'the path of the profile "lab"'],
  ]);
  defineShow(command.command('show'), context);
  defineGet(command.command('get'), context);
  defineSet(command.command('set'), context);
  defineExplain(command.command('explain'), context);
  definePath(command.command('path'), context);
  defineSchema(command.command('schema'), context);
}

function defineShow(command: Command, context: CliContext): void {
  command
    .description('Print settings, their values and where those come from. Passwords are masked.')
    .option('--all', 'also advanced settings at their defaults', false)
    .option('--json', 'all settings, as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm config show', 'the profile "default" in this environment'],
    ['dsa-slurm config show --json', 'for a script'],
  ]);
  command.action(async () => {
    const { all, json } = command.opts<{ all: boolean; json: boolean }>();
    const { catalog, formatOrigin, formatValue, maskedValue } = await import('../config/index.js');
    const { profile, settings, origins, path } = await settingsFor(command, context);
    const originOf = ({ key }: Setting): Origin => origins[key] ?? { source: 'default' };
    if (json) {
      const rows = catalog.map((setting) => ({
        key: setting.key,
        value: maskedValue(setting, valueOf(settings, setting)),
        ...originOf(setting),
      }));
      printLine(context.stdout, printableJson({ profile, path, settings: rows }, 2));
      return;
    }
    const shown = catalog.filter(
      (setting) => all || setting.info.advanced !== true || originOf(setting).source !== 'default',
    );
    const rows = shown.map((setting) => ({
      key: setting.key,
      value: formatValue(maskedValue(setting, valueOf(settings, setting))) || '-',
      origin: formatOrigin(originOf(setting)),
    }));
    const keyWidth = Math.max(...rows.map(({ key }) => key.length));
    const valueWidth = Math.min(48, Math.max(...rows.map(({ value }) => value.length)));
    printLine(
      context.stdout,
      `profile ${profile}: ${path}${existsSync(path) ? '' : ' (does not exist yet)'}\n`,
    );
    for (const { key, value, origin } of rows) {
      printLine(context.stdout, `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${origin}`);
    }
    const hidden = catalog.length - shown.length;
    if (hidden > 0) {
      printLine(
        context.stdout,
        `\n${hidden} advanced settings at their defaults are not shown; --all shows them.`,
      );
    }
  });
}

function defineGet(command: Command, context: CliContext): void {
  command
    .description('Print the value of one setting. A password is masked.')
    .argument('<key>', 'such as slurm.partition')
    .option('--json', 'as JSON, with the origin of the value', false);
  addExamples(command, [
    ['dsa-slurm config get slurm.partition', 'the value alone; an empty line if it is not set'],
    ['dsa-slurm config get broker.queues --json', 'for a script'],
  ]);
  command.action(async (key: string) => {
    const { maskedValue, formatValue } = await import('../config/index.js');
    const setting = await knownSetting(key);
    const { settings, origins } = await settingsFor(command, context);
    const value = maskedValue(setting, valueOf(settings, setting));
    const text = command.opts<{ json: boolean }>().json
      ? printableJson({ key, value, ...origins[key] })
      : formatValue(value);
    printLine(context.stdout, text);
  });
}

function defineSet(command: Command, context: CliContext): void {
  command
    .description('Validate a value and write it to the profile, which is created if necessary.')
    .argument('<key>', 'such as slurm.partition')
    .argument('[value]', 'text, or - to read it from standard input')
    .option('--default', 'remove the setting from the profile instead', false);
  addExamples(command, [
    ['dsa-slurm config set slurm.time 04:00:00', 'one value'],
    ['dsa-slurm config set broker.url - < url.txt', 'keep a password out of the shell’s history'],
    ['dsa-slurm config set slurm.partition --default', 'back to the default'],
  ]);
  command.action(async (key: string, given: string | undefined) => {
    const toDefault = command.opts<{ default: boolean }>().default;
    if ((given === undefined) !== toDefault) {
      throw new DsaSlurmError('usage', `Give either a value for ${key}, or --default.`);
    }
    const { configDirectory, parseValue, saveSettings, maskedValue, formatValue } =
      await import('../config/index.js');
    const setting = await knownSetting(key);
    const text = given === '-' ? (await readAll(context.stdin)).trim() : given;
    const value = text === undefined ? undefined : parseValue(setting, text);
    const { profile } = command.optsWithGlobals<GlobalFlags>();
    const path = await saveSettings({
      profile,
      configDir: configDirectory(context.env),
      values: { [key]: value },
    });
    const state = toDefault ? 'has its default' : `= ${formatValue(maskedValue(setting, value))}`;
    printLine(context.stdout, `${key} ${state} in ${path}`);
    if (setting.info.secret === true && given !== '-' && !toDefault) {
      printLine(
        context.stderr,
        `This password is now in the shell's history. Next time, use: dsa-slurm config set ${key} -`,
      );
    }
    const overriding = setting.env.find((name) => (context.env[name] ?? '') !== '');
    if (overriding !== undefined) {
      printLine(context.stderr, `The environment variable ${overriding} is set and overrides this value.`);
    }
  });
}

function definePath(command: Command, context: CliContext): void {
  command.description('Print the path of the profile, whether or not it exists.');
  addExamples(command, [
    ['dsa-slurm config path', 'the path of the profile "default"'],
    ['"$EDITOR" "$(dsa-slurm --profile lab config path)"', 'edit the profile "lab"'],
  ]);
  command.action(async () => {
    const { configDirectory, profilePath } = await import('../config/paths.js');
    const { profile } = command.optsWithGlobals<GlobalFlags>();
    printLine(context.stdout, profilePath(configDirectory(context.env), profile));
  });
}

function defineSchema(command: Command, context: CliContext): void {
  command.description('Print the JSON Schema of profiles, for editors.');
  addExamples(command, [
    ['dsa-slurm config schema > config.schema.json', 'to refer to in "$schema" of a profile'],
  ]);
  command.action(async () => {
    const { profileJsonSchema } = await import('../config/docs.js');
    printLine(context.stdout, printableJson(profileJsonSchema(), 2));
  });
}

async function knownSetting(key: string): Promise<Setting> {
  const { findSetting, unknownSetting } = await import('../config/index.js');
  const setting = findSetting(key);
  if (setting === undefined) {
    const { message, fix } = unknownSetting(key, 'command line');
    throw new DsaSlurmError('usage', message, { next: fix });
  }
  return setting;
}

function valueOf(settings: object, { group, name }: Setting): unknown {
  return (settings as Record<string, Record<string, unknown>>)[group]?.[name];
}
