import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { commands } from '../../../src/cli/commands/index.js';
import { catalog, findSetting } from '../../../src/config/index.js';
import { allChecks } from '../../../src/doctor/checks/index.js';
import { questions } from '../../../src/wizard/questions/index.js';
import { blockLines, codeIn, commandLines, pages, shellWords } from '../../support/doc-pages.js';
import { textOf } from '../../support/doc-entries.js';
import { runCli, temporaryHome } from '../cli/support.js';

const lines = pages.flatMap(({ path, text }) =>
  codeIn(text).flatMap((line) => commandLines(line, 'dsa-slurm').map((words) => ({ path, line, words }))),
);

/** Lines that a page shows to be typed, in blocks and not in running text. */
const shownIn = (path: string) => new Set(blockLines(textOf(path)));

/**
 * Parses a command line as the program would, and runs nothing.
 *
 * @param isName only names a command, in running text: arguments may be missing
 * @returns what is wrong; null if nothing is
 */
async function problemOf(words: readonly string[], isName = false): Promise<string | null> {
  const program = new Command('dsa-slurm')
    .option('--profile <name>')
    .option('--debug')
    .version('0')
    .exitOverride()
    .configureOutput({ writeOut() {}, writeErr() {}, outputError() {} });
  const context = {
    env: {},
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    version: '0',
    exitCode: 0,
  };
  for (const { name, load } of commands) {
    const command = program.command(name);
    (await load()).define(command, context);
    disarm(command);
  }
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    // help of a command with subcommands, which a text may name without one
    const isBareName = thrown.code === 'commander.missingArgument' && isName;
    if (thrown.exitCode !== 0 && thrown.code !== 'commander.help' && !isBareName) return thrown.message;
  }
  return unknownValue(words);
}

function disarm(command: Command): void {
  for (const each of command.commands) disarm(each);
  if (command.commands.length === 0) command.action(() => {});
}

const isPlaceholder = (word: string) => word.startsWith('<');

/** A setting, a check or an answer that a command line names and that does not exist. */
function unknownValue(words: readonly string[]): string | null {
  const following = (flag: string) => words.filter((_, index) => words[index - 1] === flag);
  const keys = [
    ...following('--set').map((pair) => pair.split('=')[0] ?? ''),
    ...(words[0] === 'config' && ['get', 'set'].includes(words[1] ?? '')
      ? words
          .slice(2)
          .filter((word) => !word.startsWith('-'))
          .slice(0, 1)
      : []),
  ];
  const answers = following('--answer').map((pair) => pair.split('=')[0] ?? '');
  const checks = [...following('--only'), ...following('--skip')];
  const unknown = [
    ...keys.filter((key) => !isPlaceholder(key) && findSetting(key) === undefined),
    ...answers.filter((key) => !questions.some((question) => question.key === key)),
    ...checks.filter((name) => !allChecks.some(({ id, group }) => name === id || name === group)),
  ].filter((word) => !isPlaceholder(word) && word !== 'key');
  return unknown.length === 0 ? null : `unknown: ${unknown.join(', ')}`;
}

describe('command lines of README and docs', () => {
  test('exist: command, subcommand, flags, settings, checks', async () => {
    const wrong: string[] = [];
    for (const { path, line, words } of lines) {
      const problem = await problemOf(words, !shownIn(path).has(line));
      if (problem !== null) wrong.push(`${path}: ${line}: ${problem}`);
    }
    expect(wrong).toEqual([]);
    expect(lines.length).toBeGreaterThan(60);
  });

  test('name every command, and in README first of all how it is installed', () => {
    const named = new Set(lines.map(({ words }) => words[0]));
    expect([...named]).toEqual(expect.arrayContaining(commands.map(({ name }) => name)));
    const readme = textOf('README.md');
    expect(readme.indexOf('npm install --global')).toBeGreaterThan(0);
    expect(readme.indexOf('npm install --global')).toBeLessThan(readme.search(/^dsa-slurm /m));
  });

  test('what does not exist is noticed', async () => {
    expect(await problemOf(['doctor', '--deep'])).toBeNull();
    expect(await problemOf(['doctr'])).toContain("unknown command 'doctr'");
    expect(await problemOf(['runs', 'lst'])).toContain("unknown command 'lst'");
    expect(await problemOf(['doctor', '--deeper'])).toContain("unknown option '--deeper'");
    expect(await problemOf(['runs', 'show'])).toContain("missing required argument 'run'");
    expect(await problemOf(['config', 'set', 'slurm.partion', 'a'])).toBe('unknown: slurm.partion');
    expect(await problemOf(['doctor', '--only', 'slrum'])).toBe('unknown: slrum');
    const piped = "pass x | A=1 dsa-slurm init --answers 'a b' --yes > out.txt  # dsa-slurm nonsense";
    expect(commandLines(piped, 'dsa-slurm')).toEqual([['init', '--answers', 'a b', '--yes']]);
    expect(shellWords('a "$(b c)" && d; e')).toEqual([['a', '$(b c)'], ['d'], ['e']]);
  });

  test('npm scripts exist', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    const named = pages.flatMap(({ text }) =>
      codeIn(text).flatMap((line) =>
        [...line.matchAll(/\bnpm (?:run ([\w:-]+)|(test)\b)/g)].map(([, script = 'test']) => script),
      ),
    );
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((script) => scripts[script] === undefined)).toEqual([]);
  });

  test('README names the archives and tarballs of this version', () => {
    const { version } = JSON.parse(textOf('package.json')) as { version: string };
    const named = [...textOf('README.md').matchAll(/dsa-slurm-(\d+\.\d+\.\d+)/g)].map(([, found]) => found);
    expect(new Set(named)).toEqual(new Set([version]));
  });

  test.each([
    ['dsa-slurm config show'],
    ['dsa-slurm doctor --list'],
    ['dsa-slurm runs list --outcome failed --since 24h'],
    ['dsa-slurm runs list --stage running'],
    ['dsa-slurm runs list --stage queued'],
    ['dsa-slurm config set worker.executor local'],
  ])('that change nothing, or only the profile, run: %s', async (line) => {
    const words = shellWords(line)[0]?.slice(1) ?? [];
    if (line !== 'dsa-slurm doctor --list') expect(lines.map((each) => each.words)).toContainEqual(words);
    const { env } = temporaryHome();
    const { code, stderr } = await runCli(words, { env });
    expect(code, stderr).toBe(0);
  });

  test('explain runs on a captured message', async () => {
    const { env } = temporaryHome();
    const message = new URL(
      '../../fixtures/contract/tasks/g3.direct_docker_run.batch_subjob.json',
      import.meta.url,
    );
    const { code, stdout } = await runCli(['explain', '-'], { env, stdin: readFileSync(message, 'utf8') });
    expect(code).toBeLessThan(2);
    expect(stdout).toContain('direct_docker_run');
  });
});

describe('names in inline code', () => {
  test('of settings, answers and checks exist', () => {
    const groups = new Set(catalog.map(({ key }) => key.split('.')[0]));
    const known = new Set([
      ...catalog.map(({ key }) => key),
      ...questions.map(({ key }) => key),
      ...allChecks.map(({ id }) => id),
    ]);
    // of Girder, and of files
    const others = ['worker.broker', 'worker.backend', 'worker.lock', 'worker.owner', 'slurm.conf'];
    const isName = (code: string) =>
      !others.includes(code) &&
      /^[a-z]+\.[A-Za-z-]+$/.test(code) &&
      groups.has(code.split('.')[0] ?? '') &&
      !/\.(md|log|cfg)$/.test(code);
    const unknown = pages.flatMap(({ path, text }) =>
      codeIn(text)
        .filter((code) => isName(code) && !known.has(code))
        .map((code) => `${path}: ${code}`),
    );
    expect(unknown).toEqual([]);
  });
});
