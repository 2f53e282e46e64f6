import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFailure, createRunner, type CommandOptions } from '../../../src/base/command.js';
import { planFiles } from '../../../src/wizard/files/index.js';
import type { PlannedFile, InitAnswers } from '../../../src/wizard/init-answers.js';
import { deployment, siteAnswers, siteKinds, sitePlaces } from '../../unit/wizard/site.js';

/** Debian's packages of the validators, by program. */
const packages = {
  shellcheck: 'shellcheck',
  yamllint: 'yamllint',
  'docker-compose': 'docker-compose',
  'systemd-analyze': 'systemd',
};

const run = createRunner({ env: process.env });
let root: string;

/** Values that need quoting in some file format. */
const awkward: [string, InitAnswers] = [
  'strange names',
  siteAnswers({
    dirs: {
      tmp: "/shared/it's tmp",
      logs: '/shared/100%/$logs',
      images: '/shared/"SIF": # {{images}}',
      submitScript: '/shared/sub mit.slurm',
    },
    broker: { ...siteAnswers().broker, password: 'a b$c%d"e#f`g', vhost: '/lab one' },
    deployment: deployment({
      flavour: 'forked',
      assetstore: '/shared/`assets` & $co',
      adminPassword: '$x $(y) # "z"',
    }),
    service: 'script',
  }),
];
const kinds = [...siteKinds, awkward];

/** docker-compose doubles dollar signs in its output. */
const plain = (text?: string) => text?.replaceAll('$$', '$');

/** Writes all files of a site below a temporary directory. @returns the path of a file there */
async function write(kind: string, files: readonly PlannedFile[]): Promise<(path: string) => string> {
  const place = (path: string) => join(root, kind.replaceAll(/\W+/g, '-'), path);
  for (const { path, content, mode } of files) {
    await mkdir(dirname(place(path)), { recursive: true });
    await writeFile(place(path), content);
    await chmod(place(path), mode);
  }
  return place;
}

async function complaints(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await run(file, args, options);
  const message = result.kind === 'exited' ? `${result.stdout}${result.stderr}`.trim() : '';
  return describeFailure(result) || message;
}

/** Docker Compose before 1.27, such as that of Debian 11. */
async function isBeforeComposeSpecification(): Promise<boolean> {
  const answer = await run('docker-compose', ['version', '--short']);
  const [major = 0, minor = 0] = (answer.kind === 'exited' ? answer.stdout : '').split('.').map(Number);
  return major === 1 && minor < 27;
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dsa-validators-'));
  const missing = Object.entries(packages).filter(([program]) => !existsSync(`/usr/bin/${program}`));
  if (missing.length === 0) return;
  const apt = { timeoutMs: 600_000, env: { DEBIAN_FRONTEND: 'noninteractive' } };
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const aptGet = async (...args: string[]) => {
    const [program = '', ...rest] = [...sudo, 'apt-get', '-q', '-y', ...args];
    return run(program, rest, apt);
  };
  await aptGet('update');
  const names = missing.map(([, name]) => name);
  const installed = await aptGet('install', '--no-install-recommends', ...names);
  if (describeFailure(installed) !== '') {
    console.log(`not installed: ${names.join(' ')}: ${describeFailure(installed).slice(-500)}`);
  }
}, 900_000);
afterAll(() => rm(root, { recursive: true }));

describe.each(kinds)('%s', (kind, answers) => {
  const files = planFiles(answers, { ...sitePlaces, program: process.execPath });
  let place: (path: string) => string;
  beforeAll(async () => {
    place = await write(kind, files);
  });
  const ending = (pattern: RegExp) =>
    files.filter(({ path }) => pattern.test(path)).map(({ path }) => place(path));

  it('shell files pass shellcheck', async () => {
    const scripts = ending(/\.(sh|slurm)$/);
    expect(scripts.length).toBeGreaterThan(0);
    // SC2016 asks whether a $ in single quotes is literal: in these values it is
    expect(await complaints('shellcheck', ['--exclude=SC2016', ...scripts])).toBe('');
  });

  it('YAML passes yamllint', async () => {
    const yaml = ending(/\.ya?ml$/);
    if (yaml.length === 0) return;
    const rules = '{extends: default, rules: {line-length: {max: 120}}}';
    expect(await complaints('yamllint', ['--strict', '-d', rules, ...yaml])).toBe('');
  });

  it('the compose file is valid, and contains the answers', async () => {
    const [file] = ending(/docker-compose\.yml$/);
    if (file === undefined || answers.deployment === null) return;
    const result = await run('docker-compose', ['-f', file, 'config'], { cwd: dirname(file) });
    if (await isBeforeComposeSpecification()) {
      // it takes a file without `version:` for one of its first format; start.sh runs `docker compose`, never this
      expect(describeFailure(result)).toContain('in service "services"');
      return;
    }
    expect(describeFailure(result)).toBe('');
    const config = result.kind === 'exited' ? result.stdout : '';
    const shown = await run(
      '/usr/bin/python3',
      ['-c', 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)'],
      {
        input: config,
      },
    );
    const { services } = JSON.parse(shown.kind === 'exited' ? shown.stdout : '') as {
      services: Record<string, { environment?: Record<string, string>; volumes?: { source: string }[] }>;
    };
    expect(plain(services['girder']?.environment?.['DSA_ADMIN_PASSWORD'])).toBe(
      answers.deployment.adminPassword,
    );
    expect(plain(services['rabbitmq']?.environment?.['RABBITMQ_DEFAULT_PASS'])).toBe(answers.broker.password);
    const sources = services['girder']?.volumes?.map(({ source }) => plain(source));
    expect(sources).toContain(answers.deployment.assetstore);
  });

  it('Python reads the broker from worker.dist.cfg and the settings from provision.yaml', async () => {
    const config = ending(/dsa\/worker\.dist\.cfg$/)[0];
    if (config === undefined) return;
    const script = [
      'import configparser, json, sys, urllib.parse',
      'config = configparser.ConfigParser()',
      'config.read(sys.argv[1])',
      'url = urllib.parse.urlsplit(config.get("celery", "broker"))',
      'json.dump([urllib.parse.unquote(url.password), url.hostname, config.get("logging", "format")], sys.stdout)',
    ].join('\n');
    const result = await run('/usr/bin/python3', ['-c', script, config]);
    expect(describeFailure(result)).toBe('');
    expect(JSON.parse(result.kind === 'exited' ? result.stdout : '')).toEqual([
      answers.broker.password,
      'rabbitmq',
      '[%(asctime)s] %(levelname)s: %(message)s',
    ]);
  });

  it('the unit passes systemd-analyze', async () => {
    const [unit] = ending(/\.service$/);
    if (unit === undefined) return;
    const message = await complaints('systemd-analyze', ['verify', '--user', unit], {
      env: { XDG_RUNTIME_DIR: root },
    });
    // ignore messages about other units
    expect(message.split('\n').filter((line) => line.includes(basename(unit)))).toEqual([]);
    expect(message).not.toMatch(/^could not|^exited/);
  });

  it('start.sh first creates the directories', async () => {
    const [script] = ending(/\/start\.sh$/);
    if (script === undefined || answers.deployment === null) return;
    // a PATH that contains only a fake mkdir, which prints its arguments
    const tools = await mkdtemp(join(dirname(script), 'tools-'));
    await writeFile(join(tools, 'mkdir'), '#!/bin/sh\nshift\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    await writeFile(join(tools, 'dirname'), '#!/bin/sh\nexec /usr/bin/dirname "$@"\n', { mode: 0o755 });
    const result = await run('/bin/sh', [script], { env: { PATH: tools } });
    expect(result).toMatchObject({ kind: 'exited', exitCode: 69 });
    const made = result.kind === 'exited' ? result.stdout.trim().split('\n') : [];
    const { dirs, deployment } = answers;
    const forked = deployment.flavour === 'forked' ? [dirs.images, dirs.logs] : [];
    expect(made).toEqual(['db', 'logs', ...forked, deployment.assetstore]);
  });
});
