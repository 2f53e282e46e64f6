import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createRunner, reasonNotStarted } from '../../../src/base/command.js';

/** Whether a process is alive; false for a zombie. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

const env = { PATH: process.env['PATH'], HELD: 'by the runner' };

describe('a command result', () => {
  const run = createRunner({ env });

  test('has the exit code and both outputs', async () => {
    expect(await run('sh', ['-c', 'echo out; echo err >&2; exit 3'])).toMatchObject({
      kind: 'exited',
      exitCode: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  test('output is passed on while the command runs, without splitting characters', async () => {
    const messages: string[] = [];
    const first = Promise.withResolvers<void>();
    const ended = run('sh', ['-c', 'printf "a\\303"; read line; printf "\\251b" ; cat /dev/null'], {
      onOutput(text) {
        messages.push(text);
        first.resolve();
      },
      input: 'go\n',
    });
    await first.promise;
    expect(await ended).toMatchObject({ kind: 'exited', stdout: 'aéb' });
    expect(messages.join('')).toBe('aéb');
  });

  test('distinguishes a missing program, a killed one and one that prints too much', async () => {
    expect(await run('no-such-program', [])).toMatchObject({ kind: 'missing', reason: 'ENOENT' });
    expect(await run('sh', ['-c', 'kill -9 $$'])).toMatchObject({ kind: 'killed', signal: 'SIGKILL' });
    expect((await run('yes', [], { maxBytes: 1_000 })).kind).toBe('overflow');
  });

  test('passes arguments without a shell, and only the given environment', async () => {
    expect(await run('printf', ['%s', '$HOME; `id`'])).toMatchObject({ stdout: '$HOME; `id`' });
    const shown = await run('env', [], { env: { ADDED: '1', HELD: undefined } });
    expect(shown).toMatchObject({ stdout: expect.stringContaining('ADDED=1') });
    expect(shown).toMatchObject({ stdout: expect.not.stringContaining('HELD') });
  });
});

describe('a working directory', () => {
  const run = createRunner({ env });

  test('is used for the program', async () => {
    expect(await run('pwd', [], { cwd: '/usr' })).toMatchObject({ kind: 'exited', stdout: '/usr\n' });
  });

  test('that does not exist keeps the command from starting', async () => {
    expect(await run('true', [], { cwd: '/no/such/place' })).toMatchObject({
      kind: 'missing',
      reason: 'ENOENT',
    });
  });

  test('does not change exit code and messages', async () => {
    expect(await run('sh', ['-c', 'echo env: no >&2; exit 127'], { cwd: '/' })).toMatchObject({
      kind: 'exited',
      exitCode: 127,
      stderr: 'env: no\n',
    });
  });
});

describe('the message of env when it cannot start a program', () => {
  const missing = 'No such file or directory';
  test.each([
    ['coreutils up to 9.9', 'nosuch', 127, `/usr/bin/env: ‘nosuch’: ${missing}\n`, 'ENOENT'],
    ['coreutils 9.10', 'nosuch', 127, `env: ‘nosuch’: ${missing}\n`, 'ENOENT'],
    [
      'a hint on a second line',
      '/opt/my tools/x',
      127,
      `env: ‘/opt/my tools/x’: ${missing}\nenv: use -[v]S to pass options in shebang lines\n`,
      'ENOENT',
    ],
    ['not executable', '/etc/passwd', 126, 'env: ‘/etc/passwd’: Permission denied\n', 'EACCES'],
    ['not a program', '/etc/x', 126, 'env: ‘/etc/x’: Exec format error\n', '‘/etc/x’: Exec format error'],
    ['no working directory', 'true', 125, `env: cannot change directory to '/no': ${missing}\n`, 'ENOENT'],
    ['a script without its interpreter', './script', 127, `env: ‘nosuch’: ${missing}\n`, null],
    ['the same, older coreutils', './script', 127, `/usr/bin/env: ‘nosuch’: ${missing}\n`, null],
    ['env run as a program', 'env', 127, `env: ‘nosuch’: ${missing}\n`, null],
    ['another exit code', 'nosuch', 1, `env: ‘nosuch’: ${missing}\n`, null],
    ['words of a program', 'sh', 127, 'env: no\n', null],
    ['an option of its own', 'env', 125, "env: unrecognized option '--no'\n", null],
  ])('%s', (_case, file, exitCode, stderr, reason) => {
    expect(reasonNotStarted(file, exitCode, stderr)).toBe(reason);
  });

  test.each(['no such program', 'né', 'back\\slash', 'quo’te', 'new\nline'])(
    'this machine: %j',
    async (name) => {
      expect(await createRunner({ env })(name, [])).toMatchObject({ kind: 'missing', reason: 'ENOENT' });
    },
  );
});

test('the timeout of the runner is the default of each command', async () => {
  const run = createRunner({ env, timeoutMs: 50 });
  expect((await run('sleep', ['30'])).kind).toBe('timeout');
  expect((await run('sleep', ['0.2'], { timeoutMs: 10_000 })).kind).toBe('exited');
});

test('a timeout also kills what a wrapper script has started', async () => {
  let output = '';
  const run = createRunner({ env, timeoutMs: 300 });
  const result = await run('sh', ['-c', 'sleep 600 & echo $!; wait'], {
    onOutput: (text) => (output += text),
  });
  expect(result.kind).toBe('timeout');
  const child = Number(output);
  expect(child).toBeGreaterThan(1);
  await expect.poll(() => isAlive(child)).toBe(false);
});

test('reports each command before it starts and after it ended, without secrets', async () => {
  const told: string[] = [];
  const run = createRunner({
    env,
    onStart: ({ file, args }) => void told.push(`begin ${file} ${args.join(' ')}`),
    onCommand: ({ file, args, result }) => void told.push(`end ${file} ${args.join(' ')} ${result.kind}`),
  });
  const ended = run('sleep', ['0.2', '--token=abc']);
  await expect.poll(() => told).toEqual(['begin sleep 0.2 --token=***']);
  await ended;
  expect(told.slice(1)).toEqual(['end sleep 0.2 --token=*** exited']);
});

test('a command is protected from Ctrl-C only with ownSession', async () => {
  // pid, process group and session, by proc(5)
  const place = ['-d', ' ', '-f', '1,5,6', '/proc/self/stat'];
  const ours = await createRunner({ env })('cut', place);
  const own = await createRunner({ env, ownSession: true })('cut', place);
  expect(own).toMatchObject({ stdout: expect.stringMatching(/^(\d+) \1 \1$/m) });
  expect(ours).toMatchObject({ stdout: expect.not.stringMatching(/^(\d+) \1/m) });
  expect((await createRunner({ env, ownSession: true, timeoutMs: 50 })('sleep', ['30'])).kind).toBe(
    'timeout',
  );
});
