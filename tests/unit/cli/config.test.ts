import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, temporaryHome } from './support.js';

function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode: 0o600 });
}

describe('config show', () => {
  it('prints the origin of each value and masks passwords', async () => {
    const { env, profile } = temporaryHome();
    put(profile, '{"slurm": {"qos": "high"}}');
    const { code, stdout, stderr } = await runCli(['config', 'show', '--set', 'slurm.cpus=3'], {
      env: {
        ...env,
        LOGS: '/shared/logs',
        CELERY_BROKER_URL: 'amqp://u:hush@mq/',
        GIRDER_WORKER_BACKEND: 'rpc://u:hush@mq/',
      },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^broker\.url +amqp:\/\/u:\*\*\*@mq\/ +environment CELERY_BROKER_URL$/m);
    expect(stdout).toMatch(/^dirs\.logs +\/shared\/logs +environment LOGS$/m);
    expect(stdout).toMatch(/^slurm\.cpus +3 +flag --set$/m);
    expect(stdout).toMatch(/^slurm\.qos +high +profile$/m);
    expect(stdout).not.toContain('slurm.gres');
    expect(stdout).toMatch(/^profile default: .*default\.json\n/);
    expect(stdout).not.toContain('hush');
  });

  it('prints settings with their defaults only with --all, after the others', async () => {
    const { env, profile } = temporaryHome();
    const hidden = await runCli(['config', 'show'], { env });
    expect(hidden.stdout).toMatch(
      /All settings have their defaults\.\n\d+ settings .*; --all prints them\.\n$/,
    );
    expect((await runCli(['config', 'show', '--all'], { env })).stdout).toMatch(
      /^worker\.heartbeats +true +\(default\)$/m,
    );
    put(profile, '{"worker": {"heartbeats": false}}');
    expect((await runCli(['config', 'show'], { env })).stdout).toMatch(
      /^worker\.heartbeats +false +profile\n\n\d+ settings have/m,
    );
    const all = (await runCli(['config', 'show', '--all'], { env })).stdout.split('\n');
    expect(all[2]).toMatch(/^worker\.heartbeats +false +profile$/);
  });

  it('fits the width, and shows long values whole', async () => {
    const { env, profile } = temporaryHome();
    const partition = Array.from({ length: 20 }, (_, index) => `partition${index}`).join(',');
    put(profile, JSON.stringify({ slurm: { partition } }));
    const { stdout } = await runCli(['config', 'show', '--all'], { env: { ...env, COLUMNS: '70' } });
    const [heading, ...lines] = stdout.split('\n');
    expect(heading).toContain(profile);
    expect(lines.filter((line) => line.length > 70)).toEqual([]);
    expect(stdout.replaceAll(/\n +/g, '')).toContain(partition);
  });

  it('prints all settings as JSON', async () => {
    const { env, profile } = temporaryHome();
    const { stdout } = await runCli(['config', 'show', '--json'], {
      env: { ...env, GIRDER_WORKER_BROKER: 'amqp://u:hush@mq/' },
    });
    expect(JSON.parse(stdout)).toMatchObject({
      profile: 'default',
      path: profile,
      settings: expect.arrayContaining([
        { key: 'broker.url', value: 'amqp://u:***@mq/', source: 'environment', name: 'GIRDER_WORKER_BROKER' },
        { key: 'slurm.cpus', value: null, source: 'default' },
      ]),
    });
    expect(stdout).not.toContain('hush');
  });

  it('lists all problems, as text and as JSON', async () => {
    const { env, profile } = temporaryHome();
    put(profile, '{"slurm": {"partiton": "x", "cpus": "many"}}');
    const text = await runCli(['config', 'show'], { env });
    expect(text).toMatchObject({ code: 2, stdout: '' });
    expect(text.stderr).toContain('2 problems');
    expect(text.stderr).toContain('Did you mean slurm.partition?');
    expect(text.stderr.split(profile)).toHaveLength(3);
    const json = await runCli(['config', 'show', '--json'], { env });
    expect(json).toMatchObject({ code: 2, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({
      error: { code: 'config', message: expect.any(String), next: expect.any(String), problems: [{}, {}] },
    });
  });

  it('prints warnings to standard error', async () => {
    const { env } = temporaryHome();
    expect((await runCli(['config', 'show'], { env: { ...env, DSA_SLURM_CPU: '1' } })).stderr).toContain(
      'DSA_SLURM_CPUS',
    );
  });
});

describe('config set and get', () => {
  it('a value that was set can be read back and set to its default', async () => {
    const { env, profile } = temporaryHome();
    expect((await runCli(['config', 'set', 'girder.apiUrlMap', 'http://a/=http://b'], { env })).code).toBe(0);
    expect(statSync(profile).mode & 0o777).toBe(0o600);
    expect((await runCli(['config', 'get', 'girder.apiUrlMap'], { env })).stdout).toBe(
      '{"http://a":"http://b"}\n',
    );
    expect(
      JSON.parse((await runCli(['config', 'get', 'girder.apiUrlMap', '--json'], { env })).stdout),
    ).toEqual({
      key: 'girder.apiUrlMap',
      value: { 'http://a': 'http://b' },
      source: 'profile',
      name: profile,
    });
    expect((await runCli(['config', 'set', 'girder.apiUrlMap', '--default'], { env })).code).toBe(0);
    expect((await runCli(['config', 'get', 'girder.apiUrlMap'], { env })).stdout).toBe('{}\n');
  });

  it('a password from standard input is stored unchanged and never printed', async () => {
    const { env, profile } = temporaryHome();
    const set = await runCli(['config', 'set', 'broker.url', '-'], { env, stdin: 'amqp://u:hush@mq/\n' });
    expect(set).toMatchObject({ code: 0, stderr: '' });
    const get = await runCli(['config', 'get', 'broker.url', '--json'], { env });
    expect(set.stdout + get.stdout).not.toContain('hush');
    expect(JSON.parse(readFileSync(profile, 'utf8'))).toEqual({ broker: { url: 'amqp://u:hush@mq/' } });
  });

  it('warns when an environment variable overrides the new value', async () => {
    const { env } = temporaryHome();
    const { stderr } = await runCli(['config', 'set', 'dirs.logs', '/l'], {
      env: { ...env, LOGS: '/other' },
    });
    expect(stderr).toContain('LOGS');
  });

  it.each([
    [['config', 'set', 'slurm.cpus', 'many'], /whole number/],
    [['config', 'set', 'slurm.cpsu', '3'], /Did you mean slurm\.cpus/],
    [['config', 'set', 'slurm.cpus'], /either a value for .* or --default/],
    [['config', 'set', 'slurm.cpus', '3', '--default'], /either a value for .* or --default/],
    [['config', 'get', 'slurm.cpsu'], /Did you mean slurm\.cpus/],
  ])('%j is refused, and nothing is written', async (argv, message) => {
    const { env, profile } = temporaryHome();
    const { code, stderr } = await runCli(argv, { env });
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync(profile)).toBe(false);
  });

  it('a broken profile is not overwritten', async () => {
    const { env, profile } = temporaryHome();
    put(profile, '{"slurm": {');
    const { code, stderr } = await runCli(['config', 'set', 'slurm.cpus', '3'], { env });
    expect(code).toBe(2);
    expect(stderr).toContain(profile);
    expect(readFileSync(profile, 'utf8')).toBe('{"slurm": {');
  });
});

describe('config path and schema', () => {
  it.each([
    [{ HOME: '/h' }, '/h/.config/dsa-slurm/lab.json'],
    [{ HOME: '/h', XDG_CONFIG_HOME: '/x' }, '/x/dsa-slurm/lab.json'],
    [{ HOME: '/h', XDG_CONFIG_HOME: 'relative' }, '/h/.config/dsa-slurm/lab.json'],
    [{ HOME: '/h', XDG_CONFIG_HOME: '/x', DSA_SLURM_CONFIG_DIR: '/own' }, '/own/lab.json'],
  ])('%j', async (env, path) => {
    expect((await runCli(['--profile', 'lab', 'config', 'path'], { env })).stdout).toBe(`${path}\n`);
    expect((await runCli(['config', 'path', '--profile', 'lab'], { env })).stdout).toBe(`${path}\n`);
  });

  it('schema is JSON Schema', async () => {
    expect(JSON.parse((await runCli(['config', 'schema'])).stdout)).toMatchObject({ type: 'object' });
  });
});
