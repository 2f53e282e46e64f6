import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { DsaSlurmError } from '../base/errors.js';
import { printableJson } from '../base/printable-json.js';
import type { Setting } from '../config/index.js';
import { defineExplain } from './config-explain.js';
import { addExamples, printLine, type CliContext, type GlobalFlags } from './context.js';
import { addSetFlag, settingsFor } from './settings-flags.js';

export function define(command: Command, context: CliContext): void {
  addExamples(command, [
    ['dsa-slurm config show', 'every setting, and where its value came from'],
    ['dsa-slurm config set slurm.partition batch', 'change the profile'],
    ['dsa-slurm config explain example/small:v1', 'what runs of an image get of Slurm'],
    ['dsa-slurm --profile lab config path', 'where the profile "lab" is kept'],
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
    .description('Print every setting, its value and where that came from. Passwords are masked.')
    .option('--json', 'as JSON', false);
  addSetFlag(command);
  addExamples(command, [
    ['dsa-slurm config show', 'the profile "default" under this environment'],
    ['dsa-slurm config show --json', 'for a script'],
  ]);
  command.action(async () => {
    const { catalog, originText, shownValue, valueText } = await import('../config/index.js');
    const { profile, settings, origins, path } = await settingsFor(command, context);
    const rows = catalog.map((setting) => ({
      key: setting.key,
      value: shownValue(setting, valueOf(settings, setting)),
      ...(origins[setting.key] ?? { source: 'default' as const }),
    }));
    if (command.opts<{ json: boolean }>().json) {
      printLine(context.stdout, printableJson({ profile, path, settings: rows }, 2));
      return;
    }
    const cells = rows.map(
      ({ key, value, ...origin }) => [key, valueText(value) || '-', originText(origin)] as const,
    );
    const keyWidth = Math.max(...cells.map(([key]) => key.length));
    const valueWidth = Math.min(48, Math.max(...cells.map(([, value]) => value.length)));
    printLine(context.stdout, `profile ${profile}: ${path}${existsSync(path) ? '' : ' (not written yet)'}\n`);
    for (const [key, value, origin] of cells) {
      printLine(context.stdout, `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${origin}`);
    }
  });
}

function defineGet(command: Command, context: CliContext): void {
  command
    .description('Print the value of one setting. A password is masked.')
    .argument('<key>', 'such as slurm.partition')
    .option('--json', 'as JSON, with where it came from', false);
  addExamples(command, [
    ['dsa-slurm config get slurm.partition', 'the value alone; an empty line where it is not set'],
    ['dsa-slurm config get broker.queues --json', 'for a script'],
  ]);
  command.action(async (key: string) => {
    const { shownValue, valueText } = await import('../config/index.js');
    const setting = await knownSetting(key);
    const { settings, origins } = await settingsFor(command, context);
    const value = shownValue(setting, valueOf(settings, setting));
    const text = command.opts<{ json: boolean }>().json
      ? printableJson({ key, value, ...origins[key] })
      : valueText(value);
    printLine(context.stdout, text);
  });
}

function defineSet(command: Command, context: CliContext): void {
  command
    .description('Check a value and write it to the profile, which is made if it is not there yet.')
    .argument('<key>', 'such as slurm.partition')
    .argument('[value]', 'text, or - to read it from standard input')
    .option('--default', 'take the setting out of the profile instead', false);
  addExamples(command, [
    ['dsa-slurm config set slurm.time 04:00:00', 'one value'],
    ['dsa-slurm config set broker.url - < url.txt', 'keep a password out of the shell’s history'],
    ['dsa-slurm config set slurm.partition --default', 'back to the default'],
  ]);
  command.action(async (key: string, given: string | undefined) => {
    const toDefault = command.opts<{ default: boolean }>().default;
    if ((given === undefined) !== toDefault) {
      throw new DsaSlurmError('usage', `Give ${key} either a value or --default.`);
    }
    const { configDirectory, readText, saveSettings, shownValue, valueText } =
      await import('../config/index.js');
    const setting = await knownSetting(key);
    const text = given === '-' ? (await readAll(context.stdin)).trim() : given;
    const value = text === undefined ? undefined : readText(setting, text);
    const { profile } = command.optsWithGlobals<GlobalFlags>();
    const path = await saveSettings({
      profile,
      configDir: configDirectory(context.env),
      values: { [key]: value },
    });
    const said = toDefault ? 'is at its default' : `= ${valueText(shownValue(setting, value))}`;
    printLine(context.stdout, `${key} ${said} in ${path}`);
    if (setting.info.secret === true && given !== '-' && !toDefault) {
      printLine(
        context.stderr,
        `A password given like this stays in the shell's history; next time: dsa-slurm config set ${key} -`,
      );
    }
    const winner = setting.env.find((name) => (context.env[name] ?? '') !== '');
    if (winner !== undefined)
      printLine(context.stderr, `The environment name ${winner} goes before it as long as it is set.`);
  });
}

function definePath(command: Command, context: CliContext): void {
  command.description('Print where the profile is kept, whether or not it is there.');
  addExamples(command, [
    ['dsa-slurm config path', 'of the profile "default"'],
    ['"$EDITOR" "$(dsa-slurm --profile lab config path)"', 'edit another one'],
  ]);
  command.action(async () => {
    const { configDirectory, profilePath } = await import('../config/paths.js');
    const { profile } = command.optsWithGlobals<GlobalFlags>();
    printLine(context.stdout, profilePath(configDirectory(context.env), profile));
  });
}

function defineSchema(command: Command, context: CliContext): void {
  command.description('Print the JSON Schema of a profile’s file, for editors.');
  addExamples(command, [['dsa-slurm config schema > config.schema.json', 'to name in the file’s "$schema"']]);
  command.action(async () => {
    const { profileJsonSchema } = await import('../config/docs.js');
    printLine(context.stdout, printableJson(profileJsonSchema(), 2));
  });
}

async function knownSetting(key: string): Promise<Setting> {
  const { findSetting, unknownKey } = await import('../config/index.js');
  const setting = findSetting(key);
  if (setting === undefined) {
    const { message, fix } = unknownKey(key, 'command line');
    throw new DsaSlurmError('usage', message, { next: fix });
  }
  return setting;
}

function valueOf(settings: object, { group, name }: Setting): unknown {
  return (settings as Record<string, Record<string, unknown>>)[group]?.[name];
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
