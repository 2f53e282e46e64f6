import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { cellWidth, wrapCells } from '../../base/text/cells.js';
import { DsaSlurmError } from '../../base/errors.js';
import { printableJson } from '../../base/text/printable-json.js';
import type { Origin, Setting } from '../../config/index.js';
import { defineExplain } from './config-explain.js';
import {
  addExamples,
  outputStyle,
  printLine,
  readAll,
  type CliContext,
  type GlobalFlags,
  type OutputStyle,
} from '../context.js';
import { addSetFlag, settingsFor } from '../settings-flags.js';

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
    .description(
      'Print the settings that differ from the defaults, and where their values come from. Passwords are masked.',
    )
    .option('--all', 'also the settings that have their defaults', false)
    .option('--json', 'all settings, as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm config show', 'what is set, in the profile "default" and this environment'],
    ['dsa-slurm config show --all', 'all settings'],
    ['dsa-slurm config show --json', 'for a script'],
  ]);
  command.action(async () => {
    const { all, json } = command.opts<{ all: boolean; json: boolean }>();
    const { catalog, formatOrigin, formatValue, maskedValue } = await import('../../config/index.js');
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
    const rows = catalog.map((setting) => {
      const origin = originOf(setting);
      return {
        key: setting.key,
        value: formatValue(maskedValue(setting, valueOf(settings, setting))) || '-',
        isDefault: origin.source === 'default',
        // the path of the profile is in the heading
        origin: origin.source === 'profile' ? 'profile' : formatOrigin(origin),
      };
    });
    const style = outputStyle(context);
    const changed = rows.filter(({ isDefault }) => !isDefault);
    const others = rows.filter(({ isDefault }) => isDefault);
    printLine(
      context.stdout,
      `profile ${profile}: ${path}${existsSync(path) ? '' : ' (does not exist yet)'}\n`,
    );
    for (const line of settingLines(all ? [...changed, ...others] : changed, style))
      printLine(context.stdout, line);
    if (changed.length === 0 && !all) printLine(context.stdout, 'All settings have their defaults.');
    if (!all) {
      const hint = `${others.length} settings have their defaults; --all prints them.`;
      printLine(context.stdout, `${changed.length === 0 ? '' : '\n'}${dim(hint, style)}`);
    }
  });
}

interface SettingRow {
  key: string;
  value: string;
  origin: string;
  isDefault: boolean;
}

/** A line for each setting; values that do not fit are wrapped in their column. */
function settingLines(rows: readonly SettingRow[], style: OutputStyle): string[] {
  const { columns } = style;
  const keyWidth = Math.max(0, ...rows.map(({ key }) => key.length));
  const originWidth = Math.max(
    0,
    ...rows.map(({ origin, isDefault }) => origin.length + (isDefault ? 2 : 0)),
  );
  const room = columns === null ? 48 : Math.min(48, columns - keyWidth - originWidth - 4);
  const valueWidth = Math.min(Math.max(0, room), Math.max(0, ...rows.map(({ value }) => cellWidth(value))));
  return rows.flatMap(({ key, value, origin, isDefault }) => {
    const shownOrigin = isDefault ? dim(`(${origin})`, style) : origin;
    const front = `${key.padEnd(keyWidth)}  `;
    const padding = ' '.repeat(Math.max(0, valueWidth - cellWidth(value)));
    const paint = (text: string): string => (isDefault ? dim(text, style) : text);
    const width =
      front.length + Math.max(valueWidth, cellWidth(value)) + 2 + origin.length + (isDefault ? 2 : 0);
    if (columns === null || width <= columns) return [`${front}${paint(value)}${padding}  ${shownOrigin}`];
    const indent = ' '.repeat(front.length);
    const pieces = wrapCells(value, Math.max(20, columns - front.length));
    return [
      ...pieces.map((piece, index) => `${index === 0 ? front : indent}${paint(piece)}`),
      `${indent}${shownOrigin}`,
    ];
  });
}

function dim(text: string, { colour }: OutputStyle): string {
  return colour ? `\u001B[2m${text}\u001B[0m` : text;
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
    const { maskedValue, formatValue } = await import('../../config/index.js');
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
    .option('--default', 'remove the setting from the profile instead', false)
    .option('--json', 'print what was written as JSON', false);
  addExamples(command, [
    ['dsa-slurm config set slurm.time 04:00:00', 'one value'],
    ['dsa-slurm config set broker.url - < url.txt', 'keep a password out of the shell’s history'],
    ['dsa-slurm config set slurm.partition --default', 'back to the default'],
  ]);
  command.action(async (key: string, given: string | undefined) => {
    const { default: toDefault, json } = command.opts<{ default: boolean; json: boolean }>();
    if ((given === undefined) !== toDefault) {
      throw new DsaSlurmError('usage', `Give either a value for ${key}, or --default.`);
    }
    const { configDirectory, parseValue, saveSettings, maskedValue, formatValue } =
      await import('../../config/index.js');
    const setting = await knownSetting(key);
    const text = given === '-' ? (await readAll(context.stdin)).trim() : given;
    const value = text === undefined ? undefined : parseValue(setting, text);
    const { profile } = command.optsWithGlobals<GlobalFlags>();
    const path = await saveSettings({
      profile,
      configDir: configDirectory(context.env),
      values: { [key]: value },
    });
    const overriding = setting.env.find((name) => (context.env[name] ?? '') !== '');
    if (json) {
      const written = toDefault ? null : maskedValue(setting, value);
      printLine(
        context.stdout,
        printableJson(
          { key, value: written, isDefault: toDefault, path, overriddenBy: overriding ?? null },
          2,
        ),
      );
      return;
    }
    const state = toDefault ? 'has its default' : `= ${formatValue(maskedValue(setting, value))}`;
    printLine(context.stdout, `${key} ${state} in ${path}`);
    if (setting.info.secret === true && given !== '-' && !toDefault) {
      printLine(
        context.stderr,
        `This password is now in the shell's history. Next time, use: dsa-slurm config set ${key} -`,
      );
    }
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
    const { configDirectory, profilePath } = await import('../../config/paths.js');
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
    const { profileJsonSchema } = await import('../../config/docs.js');
    printLine(context.stdout, printableJson(profileJsonSchema(), 2));
  });
}

async function knownSetting(key: string): Promise<Setting> {
  const { findSetting, unknownSetting } = await import('../../config/index.js');
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
