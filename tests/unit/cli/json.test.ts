import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';

import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';

import { exitCodeMeanings, exitCodeFor } from '../../../src/cli/exit.js';
import { definedCommands } from '../../../src/cli/program.js';
import { DsaSlurmError } from '../../../src/base/errors.js';
import { runCli, temporaryHome } from './support.js';

/** Commands without `--json`, and why a script does not miss it. */
const without: Record<string, string> = {
  console: 'is for a terminal',
  worker: 'is a service, whose log has one JSON object in each line',
  logs: 'prints text of others as it is',
  completion: 'prints a script',
  'config path': 'prints one line',
  'config schema': 'prints JSON anyway',
};

const defined = await definedCommands({
  env: {},
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  version: '0',
  exitCode: 0,
});

/** Every command that does something, with its name as it is typed. */
const leaves = defined.flatMap((command) => leavesOf(command, []));

function leavesOf(command: Command, before: readonly string[]): { name: string; command: Command }[] {
  const words = [...before, command.name()];
  if (command.commands.length === 0) return [{ name: words.join(' '), command }];
  return command.commands.flatMap((each) => leavesOf(each, words));
}

const hasJson = (command: Command): boolean => command.options.some(({ long }) => long === '--json');
const withJson = leaves.filter(({ command }) => hasJson(command));

/** Flags without which a command refuses before it reads the profile. */
const needed: Record<string, string> = { upgrade: '--check', 'images remove': '--yes' };

/** A command line with a word for each argument. */
function lineFor({ name, command }: (typeof leaves)[number]): string[] {
  const flag = needed[name];
  return [
    ...name.split(' '),
    ...command.registeredArguments.map(() => 'x'),
    ...(flag === undefined ? [] : [flag]),
  ];
}

interface ErrorText {
  error: { code: string; message: string; next: string | null };
}

/** Parses the only output, which must be one error, and compares the exit code with the table. */
function expectError({
  code,
  stdout,
  stderr,
}: {
  code: number;
  stdout: string;
  stderr: string;
}): ErrorText['error'] {
  expect(stderr).toBe('');
  const { error } = JSON.parse(stdout) as ErrorText;
  expect(Object.keys(error)).toEqual(expect.arrayContaining(['code', 'message', 'next']));
  expect(error.message).toMatch(/\S/);
  expect(code).toBe(exitCodeFor(new DsaSlurmError(error.code as 'usage', '')));
  expect(exitCodeMeanings.map(([known]) => known)).toContain(code);
  return error;
}

describe('--json', () => {
  test('is an option of every command that a script may ask', () => {
    expect(leaves.filter(({ command }) => !hasJson(command)).map(({ name }) => name)).toEqual(
      expect.arrayContaining(Object.keys(without)),
    );
    expect(leaves.filter(({ name, command }) => !hasJson(command) && without[name] === undefined)).toEqual(
      [],
    );
  });

  test.each(withJson.map((leaf) => [leaf.name, leaf] as const))(
    'makes a wrong flag of %s one JSON object',
    async (_, leaf) => {
      const { env } = temporaryHome();
      const error = expectError(await runCli([...lineFor(leaf), '--json', '--no-such-flag'], { env }));
      expect(error).toMatchObject({
        code: 'usage',
        message: expect.stringContaining('--no-such-flag') as string,
      });
    },
  );

  // these need no profile, work on a wrong one, or report it in another way; explain reads its message first
  const tolerant = [
    'init',
    'migrate from',
    'sandbox',
    'doctor',
    'support-bundle',
    'status',
    'config get',
    'config set',
    'explain',
  ];

  test.each(
    withJson.filter(({ name }) => !tolerant.includes(name)).map((leaf) => [leaf.name, leaf] as const),
  )('makes a wrong profile one JSON object: %s', async (_, leaf) => {
    const { env, profile } = temporaryHome();
    mkdirSync(dirname(profile), { recursive: true });
    writeFileSync(profile, '{"slurm": {"cpus": "many"}}');
    const error = expectError(await runCli([...lineFor(leaf), '--json'], { env }));
    expect(error).toMatchObject({ code: 'config', problems: [expect.anything()] });
  });

  test('makes a wrong profile an answer of status', async () => {
    const { env, profile } = temporaryHome();
    mkdirSync(dirname(profile), { recursive: true });
    writeFileSync(profile, '{"slurm": {"cpus": "many"}}');
    const { code, stdout, stderr } = await runCli(['status', '--json'], { env });
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ level: 'UNKNOWN', status: null });
  });

  test('of config set has what was written, and never a password', async () => {
    const { env, profile } = temporaryHome();
    const set = async (...words: string[]) => runCli(['config', 'set', ...words, '--json'], { env });
    const plain = await set('slurm.cpus', '4');
    expect(plain).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(plain.stdout)).toEqual({
      key: 'slurm.cpus',
      value: 4,
      isDefault: false,
      path: profile,
      overriddenBy: null,
    });
    expect(JSON.parse((await set('slurm.cpus', '--default')).stdout)).toMatchObject({
      value: null,
      isDefault: true,
    });
    expect((await set('broker.url', 'amqp://u:hush@h/')).stdout).not.toContain('hush');
    expectError(await set('slurm.cpus', 'many'));
    expectError(await set('slurm.cpsu', '4'));
  });
});
