import { describe, expect, it } from 'vitest';
import { commands, topHelp } from '../../../src/cli/commands/index.js';
import { runCli } from './support.js';

describe('help', () => {
  it.each([['--help'], ['-h'], ['help']])('%s shows every command', async (word) => {
    expect(await runCli([word])).toEqual({ code: 0, stdout: topHelp(), stderr: '' });
    for (const { name } of commands) expect(topHelp()).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  });

  const everyCommand = [
    ...commands.map(({ name }) => [name]),
    ...['show', 'get', 'set', 'path', 'schema'].map((name) => ['config', name]),
  ];
  it.each(everyCommand.map((words) => [words.join(' '), words] as const))(
    'of %s has examples and the global flags',
    async (_, words) => {
      const { code, stdout, stderr } = await runCli([...words, '--help']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`Usage: dsa-slurm ${words.join(' ')}`);
      expect(stdout).toMatch(/Examples:\n {2}# .+\n {2}.*dsa-slurm /);
      expect(stdout).toContain('--profile <name>');
      expect(await runCli(['help', ...words])).toMatchObject({ stdout });
    },
  );

  it('--version', async () => {
    expect(await runCli(['--version'])).toEqual({ code: 0, stdout: '9.8.7\n', stderr: '' });
  });
});

describe('invalid arguments exit with 2 and one explanation', () => {
  it.each([
    [[], /Name a command/],
    [['config'], /Name a command/],
    [['wrker'], /unknown command 'wrker'.*worker/],
    [['worker', '--foo'], /unknown option '--foo'/],
    [['worker', '--set', 'x'], /slurm\.partition=batch/],
    [['worker', '--set', 'slurm.cpsu=3'], /slurm\.cpus/],
    [['worker', '--in-flight', 'many'], /worker\.inFlight must be a whole number[^]*flag --in-flight/],
    [['worker', '--queue', 'celery', '--queue', 'local'], /broker\.queues[^]*flag --queue/],
    [['sandbox', '--count', '0'], /whole number/],
    [['console'], /needs a terminal[^]*dsa-slurm worker/],
    [['--profile', '../x', 'config', 'path'], /is not a valid profile name/],
  ])('%j', async (argv, message) => {
    const { code, stdout, stderr } = await runCli(argv, { env: { HOME: '/nonexistent' } });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  it.each([
    [['wrker'], 'dsa-slurm'],
    [['worker', '--foo'], 'dsa-slurm worker'],
    [['runs', 'show'], 'dsa-slurm runs show'],
    [['--profile', 'x', 'runs', 'shw'], 'dsa-slurm runs'],
  ])('%j names the command whose help to read', async (argv, command) => {
    const { stderr } = await runCli(argv, { env: { HOME: '/nonexistent' } });
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(`  See: ${command} --help`);
  });

  it('--set rejects secrets without repeating them', async () => {
    const { code, stderr } = await runCli(['worker', '--set', 'broker.url=amqp://u:hush@h/']);
    expect(code).toBe(2);
    expect(stderr).toContain('DSA_SLURM_BROKER_URL');
    expect(stderr).not.toContain('hush');
  });
});
