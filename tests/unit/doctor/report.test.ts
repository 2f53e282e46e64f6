import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/index.js';
import type { CheckResult } from '../../../src/doctor/check.js';
import { allChecks, checkById } from '../../../src/doctor/checks/index.js';
import { iniValue, readIni } from '../../../src/base/text/ini.js';
import { readRunScript } from '../../../src/doctor/site-files/run-script.js';
import { docsOf, doctorPage } from '../../../src/doctor/docs.js';
import { fileSystemOf } from '../../../src/doctor/file-system.js';
import { bytes, combine, fail, ok, quoted, warn } from '../../../src/doctor/check-result.js';
import { loadForDoctor } from '../../../src/doctor/load-configuration.js';
import { maskResult, secretsOf } from '../../../src/doctor/mask-result.js';
import { applyRepairs } from '../../../src/doctor/apply-fixes.js';
import {
  exitCodeOf,
  jsonReport,
  renderReport,
  summaryOf,
  type ReportContext,
  type ReportStyle,
} from '../../../src/doctor/report.js';
import { selectChecks } from '../../../src/doctor/select.js';
import { ask, settingsWith } from '../../support/doctor.js';

const result = (changes: Partial<CheckResult>): CheckResult => ({
  id: 'slurm.x',
  group: 'slurm',
  title: 'controller',
  status: 'ok',
  evidence: ['is up'],
  fix: null,
  ms: 12,
  docs: 'docs/doctor.md#slurm-x',
  ...changes,
});

const plain = { colour: false, unicode: true, verbose: false, columns: null };

const ids = (only: string[], skip: string[] = []) =>
  selectChecks(allChecks, { only, skip }).checks.map(({ id }) => id);

describe('all checks', () => {
  it('have unique ids of their group, and need existing checks without cycles', () => {
    const ids = allChecks.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const visit = (id: string, above: readonly string[]): void => {
      expect(above).not.toContain(id);
      for (const need of checkById(id).needs ?? []) visit(need, [...above, id]);
    };
    for (const { id, group } of allChecks) {
      expect(id).toMatch(new RegExp(`^${group}\\.[a-z-]+$`));
      visit(id, []);
    }
  });

  it('are all in the documentation', () => {
    const page = doctorPage(allChecks);
    for (const { id } of allChecks) expect(page).toContain(`\`${id}\`: `);
  });

  it('link to anchors that exist in the documentation', async () => {
    const page = await readFile(new URL('../../../docs/doctor.md', import.meta.url), 'utf8');
    const places = [...page.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => `docs/doctor.md#${id}`);
    expect(places.toSorted()).toEqual(allChecks.map(({ id }) => docsOf(id)).toSorted());
    expect(new Set(places).size).toBe(places.length);
    expect(await ask(checkById('host.node'))).toMatchObject({ docs: 'docs/doctor.md#host-node' });
  });

  it('are found by id', () => {
    expect(() => checkById('slurm.nothing')).toThrow('There is no check "slurm.nothing".');
  });
});

describe('the report', () => {
  const results = [
    result({}),
    result({
      title: 'partitions',
      status: 'warn',
      evidence: ['main is down'],
      fix: 'scontrol update …\nsinfo -R',
    }),
    result({ title: 'submit line', status: 'fail', evidence: ['refused'], fix: 'x' }),
    result({ group: 'mongo', title: 'server', status: 'skip', evidence: ['not set'] }),
  ];
  const summary = summaryOf(results, 1_234);

  const report = (style: Partial<ReportStyle> = {}, context: Partial<ReportContext> = {}) =>
    renderReport(
      results,
      summary,
      { ...plain, ...style },
      { next: 'dsa-slurm doctor', isNew: false, interrupted: false, ...context },
    );

  it('begins with the verdict and numbered problems, folds groups, and ends with the next command', () => {
    expect(report()).toBe(
      [
        '1 thing keeps this site from working; 1 warning.',
        '',
        ' 1 ✗ Slurm: submit line  slurm.x',
        '     refused',
        '     fix: x',
        '',
        ' 2 ! Slurm: partitions  slurm.x',
        '     main is down',
        '     fix: scontrol update …',
        '     fix: sinfo -R',
        '',
        '✗ Slurm          1 passed, 1 failed (1), 1 warned (2)',
        '– MongoDB        1 not run',
        '',
        '1 passed, 1 warning, 1 failed, 1 not run, in 1.2 s; -v lists all checks, and why some were not run',
        '',
        'Next: dsa-slurm doctor',
        '',
      ].join('\n'),
    );
  });

  it('names init where there is no profile, and an interruption', () => {
    expect(report({}, { isNew: true })).toMatch(/^No profile yet: dsa-slurm init /);
    expect(report({}, { interrupted: true })).toMatch(/^Interrupted: not all checks have ended\.\n1 thing/);
    const passed = summaryOf([result({})], 5);
    const shown = (of: typeof passed) =>
      renderReport([], of, plain, { next: null, isNew: true, interrupted: false }).split('\n')[0];
    expect(shown(passed)).toBe('The check passed.');
    expect(shown({ ...passed, ok: 3 })).toBe('All 3 checks passed.');
    expect(shown({ ...passed, warn: 2 })).toBe('Nothing failed; 2 warnings.');
    expect(shown({ ...passed, ok: 0, skip: 4 })).toBe('No check was run.');
  });

  it('lists all checks on request, with evidence, reasons and documentation', () => {
    const text = report({ verbose: true });
    expect(text).toContain('  ✓ ok    controller (slurm.x, 12 ms)\n          is up\n');
    expect(text).toContain('  – skip  server (slurm.x)\n          not set\n');
    expect(text.match(/docs: \/.*\/docs\/doctor\.md#slurm-x\n/g)).toHaveLength(2);
  });

  it('is ASCII without UTF-8, and in color if requested', () => {
    expect(report({ unicode: false })).toMatch(/^x Slurm/m);
    expect(report({ unicode: false, verbose: true })).not.toMatch(/[^\n -~]/);
    expect(report()).not.toContain('\u001B');
    expect(report({ colour: true })).toContain('\u001B[31m 1 ✗ Slurm: submit line\u001B[0m');
  });

  it('is wrapped at words, and a wrapped command can still be pasted', () => {
    const long = [
      result({
        status: 'fail',
        evidence: [`${'several words '.repeat(9)}end`],
        fix: `sacctmgr add user 'a b c d e f' account=pathology partition=main qos=normal ${'x=1 '.repeat(9)}  # or ask for ${'more '.repeat(12)}`,
      }),
    ];
    const shown = (columns: number) =>
      renderReport(
        long,
        summaryOf(long, 1),
        { ...plain, columns },
        { next: null, isNew: true, interrupted: false },
      );
    fc.assert(
      fc.property(fc.integer({ min: 40, max: 200 }), (columns) => {
        const lines = shown(columns).split('\n');
        expect(lines.filter((line) => line.length > columns)).toEqual([]);
        expect(lines.filter((line) => /several$|\bseve$/.test(line) && !line.includes(' '))).toEqual([]);
        const command = lines
          .slice(lines.findIndex((line) => line.includes('fix: ')))
          .join('\n')
          .split('# or ask')[0];
        expect(
          command
            ?.replace('fix: ', '')
            .replaceAll(/\\?\n\s*/g, '')
            .replaceAll(/\s+/g, ' ')
            .trim(),
        ).toBe(
          `sacctmgr add user 'a b c d e f' account=pathology partition=main qos=normal ${'x=1 '.repeat(9)}`.trim(),
        );
      }),
    );
  });

  it('counts results, and returns the exit code', () => {
    expect(summary).toEqual({ ok: 1, warn: 1, fail: 1, skip: 1, ms: 1_234 });
    expect(exitCodeOf(summary, false)).toBe(1);
    expect(exitCodeOf({ ...summary, fail: 0 }, false)).toBe(0);
    expect(exitCodeOf({ ...summary, fail: 0 }, true)).toBe(1);
    expect(exitCodeOf({ ...summary, fail: 0, warn: 0 }, true)).toBe(0);
    expect(Object.keys(jsonReport(results, summary).checks[0] ?? {}).toSorted()).toEqual([
      'docs',
      'evidence',
      'fix',
      'group',
      'id',
      'ms',
      'status',
      'title',
    ]);
  });
});

describe('cleanResult', () => {
  const settings = settingsWith({
    'broker.url': 'amqp://girder:s%23cret@h/',
    'girder.apiKey': 'A'.repeat(40),
    'mongo.uri': 'mongodb://u:h1dden@h/girder',
  });

  it('masks every secret of the settings, in each form', () => {
    const shown = maskResult(
      result({ evidence: [`s%23cret s#cret ${'A'.repeat(40)}`, 'h1dden'], fix: 'say h1dden' }),
      secretsOf(settings),
    );
    expect(shown).toMatchObject({ evidence: ['*** *** ***', '***'], fix: 'say ***' });
  });

  it('leaves the command of a fix unchanged, whatever the password', () => {
    const fix = 'dsa-slurm --profile slow worker\napptainer pull docker://registry:5000/a@sha256:0f';
    for (const password of ['p', 'dsa', 'slurm', 'apptainer']) {
      const secrets = secretsOf(settingsWith({ 'broker.url': `amqp://girder:${password}@h/` }));
      const shown = maskResult(result({ evidence: [`amqp://girder:${password}@h/ refused`], fix }), secrets);
      expect(shown).toMatchObject({ evidence: ['amqp://girder:***@h/ refused'], fix });
    }
  });

  it.each(['se/cret1', 'se@cret1'])('masks the unescaped password %s', (password) => {
    const { broker, ...rest } = settingsWith();
    const secrets = secretsOf({ ...rest, broker: { ...broker, url: `amqp://girder:${password}@h/` } });
    const shown = maskResult(result({ evidence: [`refused ${password}`], fix: `x ${password}` }), secrets);
    expect(shown).toMatchObject({ evidence: ['refused ***'], fix: 'x ***' });
  });

  it('masks the path of a webhook, but not its host', () => {
    const secrets = secretsOf(settingsWith({ 'notices.webhook': 'https://chat.example.org/hooks/hush?a=1' }));
    const evidence = ['https://chat.example.org/hooks/hush?a=1 answered'];
    expect(maskResult(result({ evidence }), secrets)).toMatchObject({
      evidence: ['https://chat.example.org*** answered'],
    });
  });

  it('does not mask the password guest', () => {
    expect(secretsOf(settingsWith())).toEqual([]);
  });

  it('removes terminal control sequences', () => {
    expect(maskResult(result({ evidence: ['a\u001B[2Jb\nc'], fix: 'x\ny\u0007' }), [])).toMatchObject({
      evidence: ['a?[2Jb c'],
      fix: 'x\ny?',
    });
  });
});

describe('findings', () => {
  it('are combined with the worst first and each fix once', () => {
    expect(combine([ok('a'), warn('b', 'f'), fail('c', 'g'), warn('d', 'f')])).toEqual({
      status: 'fail',
      evidence: ['c', 'b', 'd', 'a'],
      fix: 'g\nf',
    });
    expect(combine([])).toEqual({ status: 'ok', evidence: [] });
  });

  it('are formatted for users and shells', () => {
    expect([bytes(0), bytes(1_500), bytes(12_300_000), bytes(5e12)]).toEqual([
      '0 B',
      '1.5 kB',
      '12.3 MB',
      '5 TB',
    ]);
    expect([quoted('/a/b'), quoted("it's"), quoted('a b;rm')]).toEqual([
      '/a/b',
      String.raw`'it'\''s'`,
      "'a b;rm'",
    ]);
  });
});

describe('selectChecks', () => {
  it('accepts ids and groups', () => {
    expect(ids(['slurm.controller'])).toEqual(['slurm.controller']);
    expect(ids(['celery']).every((id) => id.startsWith('celery.'))).toBe(true);
    expect(ids([], ['mongo']).some((id) => id.startsWith('mongo.'))).toBe(false);
    expect(
      selectChecks(allChecks, { only: ['slurm'], skip: ['slurm.commands'] }).catalog.map(({ id }) => id),
    ).not.toContain('slurm.commands');
  });

  it('suggests the closest name', () => {
    expect(() => ids(['rabitmq'])).toThrow('There is no check or group "rabitmq".');
  });
});

describe('file systems', () => {
  const table = [
    '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
    '30 22 0:40 / /shared rw - nfs4 nas:/export rw',
    String.raw`31 22 0:41 / /with\040blank rw - lustre mds:/x rw`,
    '32 22 0:42 / /tmp rw - tmpfs tmpfs rw',
    '33 22 0:43 / /odd rw - somefs x rw',
  ].join('\n');
  it.each([
    ['/home/x', 'ext4', 'local'],
    ['/shared', 'nfs4', 'shared'],
    ['/shared/a/b', 'nfs4', 'shared'],
    ['/sharedness', 'ext4', 'local'],
    ['/with blank/x', 'lustre', 'shared'],
    ['/tmp/x', 'tmpfs', 'local'],
    ['/odd', 'somefs', 'unknown'],
  ])('%s', (path, type, reach) => expect(fileSystemOf(path, table)).toMatchObject({ type, reach }));

  it('are unknown without a mount', () => expect(fileSystemOf('/x', 'rubbish\n')).toBeNull());
});

describe('files of a deployment', () => {
  it('are read as data', () => {
    const script = '#!/bin/bash\nexport A=1 # x\nB="two words"\n  C=\'x\'\necho D=4\nE=$(rm -rf /)\nA=2\n';
    expect(readRunScript(script, '/x').values).toEqual(
      new Map([
        ['A', '2'],
        ['B', 'two words'],
        ['C', 'x'],
      ]),
    );
    expect(readIni('[celery]\nbroker = amqp://u:p%%40ss@x/\n').get('celery.broker')).toBe(
      'amqp://u:p%40ss@x/',
    );
    const password = 'amqp://u:100%%(x)s%@h/';
    expect(readIni(`[celery]\nbroker = ${iniValue(password)}\n`).get('celery.broker')).toBe(password);
    expect(readIni('[celery]\nbroker = amqp://x\n# c\n[other]\nBroker: y\n')).toEqual(
      new Map([
        ['celery.broker', 'amqp://x'],
        ['other.broker', 'y'],
      ]),
    );
  });
});

describe('loadForDoctor', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'doctor-test-'));
  });
  afterEach(async () => rm(dir, { recursive: true, force: true }));
  const load = (env: Record<string, string> = {}, profile = 'lab', flags = {}) =>
    loadForDoctor({ profile, flags, env: { HOME: '/home/op', ...env }, configDir: dir });

  it('uses the valid settings if some are invalid', async () => {
    await writeFile(
      join(dir, 'lab.json'),
      '{"slurm":{"partition":"main","time":7,"foo":1},"dirs":{"logs":"/p"}}',
      { mode: 0o600 },
    );
    const { settings, configuration } = load({ LOGS: '/e', DSA_SLURM_POLL_SECONDS: 'often' });
    expect(settings.slurm).toMatchObject({ partition: 'main', time: null, pollSeconds: 10 });
    expect(settings.dirs).toMatchObject({ logs: '/e', state: '/home/op/.local/state/dsa-slurm/lab' });
    expect(configuration.problems.map(({ key }) => String(key)).toSorted()).toEqual([
      'slurm.foo',
      'slurm.pollSeconds',
      'slurm.time',
    ]);
    expect(configuration.origins['slurm.partition']).toEqual({
      source: 'profile',
      name: join(dir, 'lab.json'),
    });
    expect(configuration.origins['dirs.logs']).toEqual({ source: 'environment', name: 'LOGS' });
  });

  it('accepts a file that is not JSON', async () => {
    await writeFile(join(dir, 'lab.json'), '{', { mode: 0o600 });
    expect(load().configuration.problems[0]?.message).toContain('not complete JSON');
  });

  it('accepts an invalid environment of the default profile', () => {
    expect(load({ DSA_SLURM_POLL_SECONDS: 'x' }, 'default').configuration.problems).toHaveLength(1);
  });

  it('fails if the profile does not exist, or a flag is invalid', async () => {
    expect(() => load()).toThrow(ConfigError);
    await writeFile(join(dir, 'lab.json'), '{}', { mode: 0o600 });
    expect(() => load({}, 'lab', { 'slurm.pollSeconds': 'x' })).toThrow(ConfigError);
  });
});

describe('applyRepairs', () => {
  it('asks before each, and reports each result', async () => {
    const messages: string[] = [];
    const done: string[] = [];
    const repair = (what: string, error?: Error) => ({
      what,
      apply: async () => {
        if (error !== undefined) throw error;
        done.push(what);
      },
    });
    const tally = await applyRepairs([repair('a'), repair('b'), repair('c', new Error('no room'))], {
      confirm: async (what) => what !== 'b',
      say: (line) => messages.push(line),
    });
    expect(tally).toEqual({ done: 1, declined: 1, failed: 1 });
    expect(done).toEqual(['a']);
    expect(messages).toEqual(['done: a', 'skipped: b', 'failed: c: no room']);
  });
});
