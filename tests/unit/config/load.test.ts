import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { catalog } from '../../../src/config/catalog.js';
import { formatOrigin } from '../../../src/config/load.js';
import type { Settings } from '../../../src/config/schema.js';
import { load, problemsOf, temporaryConfigDir, writeProfile } from './support.js';

describe('precedence of values', () => {
  const file = { slurm: { partition: 'from-profile' } };
  const env = { GIRDER_WORKER_SLURM_PARTITION: 'from-legacy' };
  const ownEnv = { ...env, DSA_SLURM_PARTITION: 'from-own' };
  const flags = { 'slurm.partition': 'from-flag' };

  it.each([
    ['flag before all', { flags, env: ownEnv }, 'from-flag', 'flag --set'],
    [
      'our environment name before the legacy one',
      { env: ownEnv },
      'from-own',
      'environment DSA_SLURM_PARTITION',
    ],
    ['environment before profile', { env }, 'from-legacy', 'environment GIRDER_WORKER_SLURM_PARTITION'],
    [
      'an empty name is not set',
      { env: { ...env, DSA_SLURM_PARTITION: '' } },
      'from-legacy',
      'environment GIRDER_WORKER_SLURM_PARTITION',
    ],
    ['profile before default', {}, 'from-profile', 'profile <path>'],
  ])('%s', (_, given, value, origin) => {
    const configDir = temporaryConfigDir();
    const path = writeProfile(configDir, file);
    const loaded = load({ configDir, ...given });
    expect(loaded.settings.slurm.partition).toBe(value);
    const from = loaded.origins['slurm.partition'];
    expect(from && formatOrigin(from)).toBe(origin.replace('<path>', path));
  });

  it('uses the default if nothing sets the value', () => {
    const { settings, origins } = load();
    expect(settings.slurm.partition).toBeNull();
    expect(origins['slurm.partition']).toEqual({ source: 'default' });
  });

  it('names the flag that was given', () => {
    const loaded = load({ flags: { 'broker.queues': ['gpu'] }, flagNames: { 'broker.queues': '--queue' } });
    expect(loaded.settings.broker.queues).toEqual(['gpu']);
    expect(loaded.origins['broker.queues']).toEqual({ source: 'flag', name: '--queue' });
  });
});

describe('environment variables of the Python worker’s run.sh', () => {
  it.each<[string, string, (settings: Settings) => unknown, unknown]>([
    ['TMP', '/shared/tmp', (s) => s.dirs.tmp, '/shared/tmp'],
    ['LOGS', '/shared/logs', (s) => s.dirs.logs, '/shared/logs'],
    ['GIRDER_WORKER_SINGULARITY_LOGS_DIR', '/shared/logs', (s) => s.dirs.logs, '/shared/logs'],
    ['SIF_IMAGE_PATH', '/shared/sif', (s) => s.dirs.images, '/shared/sif'],
    ['GIRDER_WORKER_SLURM_SUBMIT_SCRIPT', '/opt/s.slurm', (s) => s.slurm.submitScript, '/opt/s.slurm'],
    ['GIRDER_WORKER_SLURM_MOUNT_PREFIX', '/mnt/x', (s) => s.slurm.mountPrefix, '/mnt/x'],
    ['GIRDER_WORKER_SLURM_PARTITION', 'girdercompute', (s) => s.slurm.partition, 'girdercompute'],
    ['GW_DIRECT_PATHS', 'false', (s) => s.girder.directPaths, true],
    ['GIRDER_WORKER_BROKER', 'amqp://a:b@mq//', (s) => s.broker.url, 'amqp://a:b@mq//'],
    ['CELERY_BROKER_URL', 'amqps://mq/vhost', (s) => s.broker.url, 'amqps://mq/vhost'],
    [
      'GIRDER_WORKER_BACKEND',
      'rpc://guest:guest@localhost/',
      (s) => s.broker.backend,
      'rpc://guest:guest@localhost/',
    ],
    ['CELERY_RESULT_BACKEND', 'rpc', (s) => s.broker.backend, 'rpc'],
    ['GIRDER_WORKER_API_URL', 'http://g:8080/api/v1/', (s) => s.girder.apiUrl, 'http://g:8080/api/v1'],
  ])('%s', (name, text, pick, value) => {
    const { settings, origins } = load({ env: { [name]: text } });
    expect(pick(settings)).toEqual(value);
    expect(Object.values(origins).filter((origin) => origin.name === name)).toHaveLength(1);
  });

  it('GIRDER_WORKER_BROKER takes precedence over CELERY_BROKER_URL', () => {
    const env = { CELERY_BROKER_URL: 'amqp://second/', GIRDER_WORKER_BROKER: 'amqp://first/' };
    expect(load({ env }).settings.broker.url).toBe('amqp://first/');
  });
});

describe('defaults', () => {
  it('depend on the environment where documented', () => {
    const env = { HOME: '/home/op', TMPDIR: '/scratch' };
    const { settings } = load({ env });
    expect(settings.dirs.tmp).toBe('/scratch');
    // run.sh of the DSA sets TMP; a login shell sets TMPDIR to a directory that compute nodes cannot access
    const all = { HOME: '/home/op', TMPDIR: '/a', TEMP: '/b', TMP: '/c' };
    expect(load({ env: all }).settings.dirs.tmp).toBe('/c');
    expect(load({ env: { ...all, TMP: '' } }).settings.dirs.tmp).toBe('/a');
    expect(load({ env: { HOME: '/home/op', TEMP: '/b' } }).settings.dirs.tmp).toBe('/b');
    expect(load({ env: { HOME: '/home/op' } }).settings.dirs.tmp).toBe('/tmp');
    expect(settings.dirs.state).toBe('/home/op/.local/state/dsa-slurm/default');
    expect(load({ env: { ...env, XDG_STATE_HOME: '/var/state' } }).settings.dirs.state).toBe(
      '/var/state/dsa-slurm/default',
    );
    expect(load({ env: { ...env, XDG_STATE_HOME: 'relative' } }).settings.dirs.state).toBe(
      settings.dirs.state,
    );
  });

  it('are valid, and not shared between two loads', () => {
    const first = load().settings;
    first.broker.queues.push('changed');
    expect(load().settings.broker.queues).toEqual(['celery']);
  });
});

describe('paths', () => {
  it('are resolved in flags and the environment, and must be absolute in profiles', () => {
    expect(load({ env: { LOGS: 'logs' } }).settings.dirs.logs).toBe(resolve('logs'));
    const configDir = temporaryConfigDir();
    writeProfile(configDir, { dirs: { logs: 'logs' } });
    expect(problemsOf({ configDir })).toMatchObject([
      { key: 'dirs.logs', message: expect.stringContaining('absolute') },
    ]);
  });
});

describe('all problems at once', () => {
  it('come from profile, environment and flags, each with its source and a fix', () => {
    const configDir = temporaryConfigDir();
    const path = writeProfile(configDir, {
      slurm: { partiton: 'x', pollSeconds: 'fast', cpus: 0, userOptions: ['mem', 'wrap'] },
      slrum: {},
      'log.level': 'info',
      dirs: 3,
    });
    const before = readFileSync(path, 'utf8');
    const problems = problemsOf({
      configDir,
      env: { GIRDER_WORKER_BACKEND: 'redis://:hush@host/', CELERY_BROKER_URL: 'redis://:hush@host/' },
      flags: { 'broker.queues': 'celery,local', 'worker.inflight': '3' },
    });
    expect(problems.map(({ key, source }) => [key, source])).toEqual([
      ['slurm.partiton', `profile ${path}`],
      ['slrum', `profile ${path}`],
      ['log.level', `profile ${path}`],
      ['dirs', `profile ${path}`],
      ['slurm.pollSeconds', `profile ${path}`],
      ['slurm.cpus', `profile ${path}`],
      ['slurm.userOptions', `profile ${path}`],
      ['worker.inflight', 'flag --set'],
      ['broker.url', 'environment CELERY_BROKER_URL'],
      ['broker.backend', 'environment GIRDER_WORKER_BACKEND'],
      ['broker.queues', 'flag --set'],
    ]);
    expect(problems.every(({ message, fix }) => message !== '' && fix !== '')).toBe(true);
    expect(problems[0]?.fix).toContain('slurm.partition');
    expect(problems[1]?.fix).toContain('slurm');
    expect(problems[7]?.fix).toContain('worker.inFlight');
    expect(JSON.stringify(problems)).not.toContain('hush');
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('include invalid values in the profile that are overridden', () => {
    const configDir = temporaryConfigDir();
    writeProfile(configDir, { log: { level: 'loud' } });
    expect(problemsOf({ configDir, env: { DSA_SLURM_LOG_LEVEL: 'info' } })).toHaveLength(1);
  });

  it.each(catalog.map((setting) => [setting.key, setting] as const))(
    '%s refuses nonsense from a file',
    (_, setting) => {
      const configDir = temporaryConfigDir();
      writeProfile(configDir, { [setting.group]: { [setting.name]: { no: ['sense'] } } });
      expect(problemsOf({ configDir })).toMatchObject([{ key: setting.key }]);
    },
  );

  it.each([
    ['broker.url', 'amqp://a/;amqp://b/'],
    ['broker.url', 'amqp:'],
    ['broker.url', 'amqp://user:p#ss@host/'],
    ['broker.backend', 'mongodb://x'],
    ['broker.backend', 'redis://localhost/'],
    ['broker.backend', 'amqp://guest:guest@localhost/'],
    ['broker.backend', 'amqp'],
    ['broker.backend', 'rpcx://'],
    ['broker.queues', ''],
    ['slurm.partition', 'a\nb'],
    ['slurm.partition', '\u001b[2J'],
    ['slurm.pollSeconds', '0.5'],
    ['slurm.cpus', '1.5'],
    ['slurm.userOptions', '--mem'],
    ['worker.name', 'no-host'],
    ['girder.apiUrl', 'ftp://g/'],
    ['girder.apiUrlMap', 'http://a=b'],
    ['girder.apiUrlMap', '{"http://a": 1}'],
    ['girder.directPaths', 'perhaps'],
  ])('%s refuses %j', (key, text) => {
    expect(problemsOf({ flags: { [key]: text } })).toMatchObject([{ key, source: 'flag --set' }]);
  });
});

describe('the profile', () => {
  it.each([
    ['half-written', '{"broker": {"url": "amqp://u:hush@h/'],
    ['empty', ''],
    ['no object', '[1]'],
  ])('%s: named, not changed, nothing of it quoted', (_, content) => {
    const configDir = temporaryConfigDir();
    const path = writeProfile(configDir, content);
    const problems = problemsOf({ configDir });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toContain(path);
    expect(JSON.stringify(problems)).not.toContain('hush');
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  it('may begin with a byte order mark and contain $schema', () => {
    const configDir = temporaryConfigDir();
    writeProfile(configDir, '\uFEFF{"$schema": "./config.schema.json", "slurm": {"qos": "high"}}');
    expect(load({ configDir }).settings.slurm.qos).toBe('high');
  });

  it('cannot change an object’s prototype', () => {
    const configDir = temporaryConfigDir();
    writeProfile(
      configDir,
      '{"__proto__": {"x": 1}, "constructor": {"y": 1}, "slurm": {"__proto__": {"z": 1}}}',
    );
    expect(problemsOf({ configDir }).map(({ key }) => key)).toEqual([
      '__proto__',
      'constructor',
      'slurm.__proto__',
    ]);
  });

  it('causes a warning if others can read it', () => {
    const configDir = temporaryConfigDir();
    const path = writeProfile(configDir, {}, 'default', 0o640);
    expect(load({ configDir }).warnings).toEqual([expect.stringContaining(`chmod 600 ${path}`)]);
  });

  it('must exist if it is not the default', () => {
    const configDir = temporaryConfigDir();
    writeProfile(configDir, {}, 'production');
    expect(problemsOf({ configDir, profile: 'prodution' })).toMatchObject([
      { fix: 'Did you mean production?' },
    ]);
    expect(load({ configDir, profile: 'production' }).path).toMatch(/production\.json$/);
  });

  it.each(['../x', 'a/b', '', '.hidden', 'a\0b'])('rejects %j as the name of a profile', (profile) => {
    expect(() => load({ profile })).toThrow('is not a valid profile name');
  });
});

it('warns of a misspelled DSA_SLURM_ variable', () => {
  const { warnings } = load({
    env: { DSA_SLURM_PARTITON: 'x', DSA_SLURM_CONFIG_DIR: '/x', SLURM_JOB_ID: '1' },
  });
  expect(warnings).toEqual([expect.stringMatching(/DSA_SLURM_PARTITON\. .* DSA_SLURM_PARTITION\?/)]);
});
