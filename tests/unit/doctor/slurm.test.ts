import { describe, expect, it } from 'vitest';
import type { Check } from '../../../src/doctor/check.js';
import { version as apptainerVersion } from '../../../src/doctor/checks/apptainer/version.js';
import { judgePulls, type PullFacts } from '../../../src/doctor/checks/apptainer/pulls.js';
import {
  judgePrivileges,
  missingCapabilities,
  type PrivilegeFacts,
} from '../../../src/doctor/checks/apptainer/privileges.js';
import { account, judgeAccount, parseAssociations } from '../../../src/doctor/checks/slurm/account.js';
import { commands } from '../../../src/doctor/checks/slurm/commands.js';
import { controller } from '../../../src/doctor/checks/slurm/controller.js';
import { accounting, judgeLimits, judgeMinJobAge, limits } from '../../../src/doctor/checks/slurm/limits.js';
import { judgePartitions, partitions } from '../../../src/doctor/checks/slurm/partitions.js';
import { start } from '../../../src/doctor/checks/slurm/start.js';
import { submitLine } from '../../../src/doctor/checks/slurm/submit.js';
import { version } from '../../../src/doctor/checks/slurm/version.js';
import type { Partition, ClusterInfo } from '../../../src/slurm/site.js';
import { ask, exited, factOf, fakeRun, missing, settingsWith, timedOut } from '../../support/doctor.js';

const site: ClusterInfo = {
  version: '22.05.8',
  cluster: 'lab',
  minJobAge: 300,
  accounting: true,
  enforced: ['associations', 'limits', 'qos'],
  privateData: [],
  partitions: [{ name: 'main', isDefault: true, up: true, timeLimit: 3_600, nodes: 2 }],
  rateLimit: null,
};

const allThere = Object.fromEntries(
  ['sbatch', 'squeue', 'scontrol', 'scancel', 'sinfo'].map((name) => [
    `${name} --version`,
    exited('slurm-wlm 22.05.8\n'),
  ]),
);

const config = (release: string) => exited(`SLURM_VERSION = ${release}\nClusterName = lab\n`);

const refused = (message: string) =>
  exited('', { exitCode: 1, stderr: `sbatch: error: ${message}\nallocation failure: ${message}` });

describe('slurm.commands', () => {
  it.each([
    ['all there', allThere, 'ok', /slurm-wlm 22\.05\.8: sbatch/, null],
    ['none there', {}, 'fail', /^sbatch could not be started \(ENOENT\)/, 'module load slurm   # or'],
    [
      'no configuration',
      {
        ...allThere,
        'sinfo --version': exited('', { exitCode: 1, stderr: 'sinfo: fatal: no configuration\n' }),
      },
      'fail',
      /^sinfo: sinfo exited with 1: sinfo: fatal: no configuration/,
      'export SLURM_CONF=/etc/slurm/slurm.conf',
    ],
    [
      'two releases',
      { ...allThere, 'sinfo --version': exited('slurm 24.05.1\n') },
      'warn',
      /sbatch: slurm-wlm/,
      'type -a sbatch squeue scontrol',
    ],
  ])('%s', async (_name, answers, status, evidence, fix) => {
    await expectCheck(commands, answers, { status, evidence, fix });
  });
});

describe('slurm.controller', () => {
  const up = 'Slurmctld(primary) at head is UP\n';
  it.each([
    ['up', exited(up), 'ok', /is UP/, null],
    ['slow', exited(up, { ms: 2_000 }), 'warn', /answered after 2000 ms/, 'sdiag'],
    ['backup down', exited(`${up}Slurmctld(backup) at b is DOWN\n`), 'warn', /backup.*DOWN/, 'scontrol ping'],
    [
      'down',
      exited('Slurmctld(primary) at head is DOWN\n', { exitCode: 1 }),
      'fail',
      /is DOWN/,
      'systemctl status slurmctld',
    ],
    ['silent', timedOut, 'fail', /scontrol ping did not answer within/, 'scontrol ping'],
  ])('%s', async (_name, answer, status, evidence, fix) => {
    await expectCheck(controller, { 'scontrol ping': answer }, { status, evidence, fix });
  });

  it('is not down if it only limits the request rate', async () => {
    const answers = {
      'scontrol ping': exited('Slurmctld(primary) at head is DOWN\n', { exitCode: 1 }),
      'scontrol show config': config('24.11.5'),
    };
    await expectCheck(controller, answers, {
      status: 'warn',
      evidence: /slurmctld answers, but refused a ping/,
      fix: 'SlurmctldParameters',
    });
  });
});

describe('slurm.version', () => {
  it.each([
    ['new enough', config('22.05.8'), 'ok', /Slurm 22\.05\.8, cluster lab/, null],
    ['old', config('20.02.3'), 'warn', /releases before 20\.11 are not tested/, 'Upgrade Slurm'],
    [
      'its last ping limited',
      exited('SLURM_VERSION = 24.11.5\nClusterName = lab\n\nSlurmctld(primary) at head is DOWN\n', {
        exitCode: 1,
      }),
      'ok',
      /Slurm 24\.11\.5/,
      null,
    ],
    [
      'what it hides',
      exited('SLURM_VERSION = 22.05.8\nPrivateData = jobs,nodes\n'),
      'ok',
      /shows only the user's own part of jobs, nodes/,
      null,
    ],
    ['untold', exited('', { exitCode: 1 }), 'fail', /did not report the Slurm version/, 'grep SLURM_VERSION'],
  ])('%s', async (_name, answer, status, evidence, fix) => {
    await expectCheck(version, { 'scontrol show config': answer }, { status, evidence, fix });
  });

  it('passes on the cluster info', async () => {
    expect(
      await factOf(version, { run: fakeRun({ 'scontrol show config': config('23.11.4') }) }),
    ).toMatchObject({
      version: '23.11.4',
    });
  });
});

describe('slurm.partitions', () => {
  const main: Partition = { name: 'main', isDefault: true, up: true, timeLimit: 3_600, nodes: 2 };
  const gpu: Partition = { ...main, name: 'gpu', isDefault: false, timeLimit: null };
  const judge = (
    slurm: { partition: string | null; gpuPartition: string | null },
    states: Record<string, string[]>,
    list: Partition[] = [main, gpu],
  ) => judgePartitions(slurm, list, new Map(Object.entries(states)), 'lab');

  it('is ok if nodes are usable', () => {
    expect(
      judge({ partition: 'main', gpuPartition: 'gpu' }, { main: ['idle', 'drained'], gpu: ['mixed'] }),
    ).toEqual({
      status: 'ok',
      evidence: ['main: 1 node of 2 usable, time limit 1 h', 'gpu: 1 node of 1 usable'],
    });
  });

  it.each([
    [
      'unknown',
      'cpu',
      { main: ['idle'] },
      [main, gpu],
      'fail',
      'no partition "cpu". Available: main, gpu.',
      'dsa-slurm --profile lab config set slurm.partition main',
    ],
    [
      'not set, no default',
      null,
      {},
      [gpu],
      'fail',
      'no default partition',
      'config set slurm.partition gpu',
    ],
    [
      'not up',
      'main',
      { main: ['idle'] },
      [{ ...main, up: false }],
      'warn',
      'it is not up',
      'scontrol update PartitionName=main State=UP',
    ],
    [
      'drained',
      'main',
      { main: ['drained', 'down*'] },
      [main],
      'warn',
      'No node of partition main can run a job: drained, down*',
      'sinfo -R -p main',
    ],
    ['without nodes', 'main', {}, [main], 'warn', 'it has none', 'sinfo -R -p main'],
  ])('%s', (_name, partition, states, list, status, evidence, fix) => {
    const finding = judge({ partition, gpuPartition: null }, states, list);
    expect(finding.status).toBe(status);
    expect(finding.evidence.join('\n')).toContain(evidence);
    expect(finding.fix).toContain(fix);
  });

  it('reads node states from sinfo', async () => {
    const answers = { 'sinfo --all': exited('main|idle\nmain|drained\n') };
    await expectCheck(partitions, answers, { status: 'ok', evidence: /1 node of 2/, fix: null }, {}, site);
    const untold = await ask(partitions, {}, { 'slurm.version': { ...site, partitions: null } });
    expect(untold).toMatchObject({ status: 'fail', fix: 'sinfo --all' });
  });

  const denied = exited('', { exitCode: 1, stderr: 'slurm_load_node error: Access/permission denied\n' });
  it.each([
    ['partitions', partitions, { ...site, partitions: null }, /sinfo did not list the partitions/],
    ['nodes', partitions, site, /sinfo did not list the nodes/],
    ['limits of partitions', start, site, /scontrol did not show the limits of the partitions/],
  ])('blames PrivateData if the user may not see %s', async (_, check, version, evidence) => {
    const run = fakeRun({ sinfo: denied, 'scontrol --all': denied });
    const found = await ask(check, { run }, { 'slurm.version': version });
    expect(found).toMatchObject({ status: 'warn', fix: expect.stringContaining('operator rights') });
    expect(found.evidence.join('\n')).toMatch(evidence);
    expect(found.evidence.join('\n')).toContain('jobs can run nevertheless');
  });

  it('does not take silence about nodes for a partition without nodes', async () => {
    const found = await ask(partitions, { run: fakeRun({ sinfo: timedOut }) }, { 'slurm.version': site });
    expect(found).toMatchObject({ status: 'warn', fix: 'sinfo --all --Node' });
    expect(found.evidence.join('\n')).not.toContain('it has none');
  });
});

describe('slurm.submit', () => {
  it.each([
    ['Invalid qos specification', 'config set slurm.qos short'],
    ['Invalid account or account/partition combination specified', 'config set slurm.account path'],
    ['invalid partition specified: x', 'config set slurm.partition long'],
    ["User's group not permitted to use this partition", 'config set slurm.partition long'],
    ['Memory specification can not be satisfied', 'config set slurm.mem 64000M'],
    ['Invalid generic resource (gres) specification', 'config set slurm.gres gpu:a100:2'],
    ['Requested time limit is invalid (missing or exceeds some limit)', 'config set slurm.time 2-00:00:00'],
  ])('proposes for "%s" a value that this site has', async (message, fix) => {
    const run = fakeRun({
      sbatch: refused(message),
      'sinfo --noheader': exited(
        'long|2-00:00:00|64000|16|(null)|(null)\ngpu|infinite|32000|8|gpu:a100:2(S:0-1)|avx\n',
      ),
      'sacctmgr --noheader': exited('path|short,normal\n'),
    });
    expect(
      (await ask(submitLine, { run, settings: settingsWith() }, { 'slurm.version': site })).fix,
    ).toContain(fix);
  });

  const settings = { 'slurm.partition': 'main', 'slurm.account': 'path', 'dirs.logs': '/shared/logs' };
  const taken = exited('', {
    stderr: 'sbatch: Job 1 to start at 2026-11-23T20:38:54 using 1 processors on nodes n1\n',
  });
  it.each([
    ['taken', taken, 'ok', /Job 1 to start/, null],
    [
      'account',
      refused('Invalid account or account/partition combination specified'),
      'fail',
      /sbatch would refuse jobs:/,
      'config set slurm.account',
    ],
    ['qos', refused('Invalid qos specification'), 'fail', /Invalid qos/, 'config set slurm.qos'],
    [
      'partition',
      refused('invalid partition specified: x'),
      'fail',
      /invalid partition/,
      'config set slurm.partition',
    ],
    [
      'time',
      refused('Requested time limit is invalid (missing or exceeds some limit)'),
      'fail',
      /time limit/,
      'config set slurm.time',
    ],
    [
      'memory',
      refused('Memory specification can not be satisfied'),
      'fail',
      /Memory/,
      'config set slurm.mem',
    ],
    [
      'gres',
      refused('Invalid generic resource (gres) specification'),
      'fail',
      /gres/,
      'config set slurm.gres',
    ],
    [
      'constraint',
      refused('Invalid feature specification'),
      'fail',
      /feature/,
      'config set slurm.constraint',
    ],
    [
      'cpus',
      refused('CPU count per node can not be satisfied'),
      'fail',
      /CPU count/,
      'config set slurm.cpus',
    ],
    ['anything else', refused('who knows'), 'fail', /who knows/, 'sinfo -o "%P %l %m %c %G %f"'],
    ['silent', timedOut, 'fail', /did not answer/, 'sdiag'],
    [
      'exit 0 without a start',
      exited('', { stderr: 'sbatch: error: allocation failure: Invalid qos' }),
      'fail',
      /Invalid qos/,
      'slurm.qos',
    ],
  ])('%s', async (_name, answer, status, evidence, fix) => {
    await expectCheck(submitLine, { 'sbatch --test-only': answer }, { status, evidence, fix }, settings);
  });

  it('tests the real options, and those of GPU jobs if there is a GPU partition', async () => {
    const run = fakeRun({ 'sbatch --test-only': taken });
    const settingsOfGpu = settingsWith({ ...settings, 'slurm.gpuPartition': 'gpu' });
    await ask(submitLine, { run, settings: settingsOfGpu }, { 'slurm.version': site });
    const lines = run.lines.toSorted((a, b) => a.indexOf('--partition=gpu') - b.indexOf('--partition=gpu'));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('--partition=main --account=path');
    expect(lines[1]).toContain('--partition=gpu --account=path --gres=gpu:1');
  });
});

describe('slurm.account', () => {
  const known = parseAssociations('path||normal,high|path\nother||normal|path\n');
  it.each([
    ['default', { account: null, qos: 'high' }, 'ok', 'uses the default account', undefined],
    ['its own', { account: 'other', qos: 'normal' }, 'ok', 'uses other', undefined],
    [
      'not its own',
      { account: 'x', qos: null },
      'fail',
      'may not use account "x". Available: path, other.',
      'dsa-slurm --profile lab config set slurm.account path',
    ],
    [
      'QOS of another',
      { account: 'other', qos: 'high' },
      'fail',
      'op may not use QOS "high". Available: normal.',
      'config set slurm.qos normal',
    ],
  ])('%s', (_name, slurm, status, evidence, fix) => {
    const finding = judgeAccount(slurm, known, 'op', 'lab');
    expect(finding.status).toBe(status);
    expect(finding.evidence.join('\n')).toContain(evidence);
    if (fix === undefined) expect(finding.fix).toBeUndefined();
    else expect(finding.fix).toContain(fix);
  });

  it('is ok without accounts if none are enforced', () => {
    expect(judgeAccount({ account: null, qos: null }, [], 'op', 'lab', false)).toMatchObject({
      status: 'ok',
    });
  });

  it('warns without accounts', () => {
    expect(judgeAccount({ account: null, qos: null }, [], 'op', 'lab')).toMatchObject({
      status: 'warn',
      fix: 'sacctmgr add user op account=<account>',
    });
  });

  it('is skipped without accounting', async () => {
    const none = await ask(account, {}, { 'slurm.version': { ...site, accounting: false } });
    expect(none).toMatchObject({ status: 'skip' });
    await expectCheck(
      account,
      { sacctmgr: timedOut },
      { status: 'warn', evidence: /sacctmgr did not answer/, fix: 'slurmdbd' },
      {},
      site,
    );
    await expectCheck(
      account,
      { sacctmgr: exited('path||normal|path\n') },
      { status: 'ok', evidence: /path/, fix: null },
      {},
      site,
    );
  });
});

const asked = async (
  value: boolean | null,
  run = fakeRun({ 'sacctmgr --noheader show cluster': exited('lab\n') }),
) => (await ask(accounting, { run }, { 'slurm.version': { ...site, accounting: value } })).status;

describe('slurm limits', () => {
  it('reports accounting', async () => {
    expect([await asked(true), await asked(false), await asked(null)]).toEqual(['ok', 'ok', 'skip']);
    expect(await asked(true, fakeRun({ sacctmgr: timedOut }))).toBe('warn');
  });

  it.each([
    ['long enough', { ...site, minJobAge: 300 }, 'ok', undefined],
    ['would wait forever', { ...site, minJobAge: 0 }, 'ok', undefined],
    ['untold', { ...site, minJobAge: null }, 'skip', undefined],
    ['too short', { ...site, minJobAge: 20 }, 'warn', 'config set slurm.pollSeconds 6'],
    [
      'too short, no accounting',
      { ...site, minJobAge: 20, accounting: false },
      'fail',
      'config set slurm.pollSeconds 6',
    ],
  ])('MinJobAge %s', (_name, of, status, fix) => {
    const finding = judgeMinJobAge(of, 10, 'default');
    expect(finding.status).toBe(status);
    expect(finding.fix ?? '').toContain(fix ?? '');
    if (fix === undefined) expect(finding.fix).toBeUndefined();
  });

  it.each([
    ['roomy', '10000', null, 'ok', undefined],
    ['few jobs', '1000', null, 'warn', 'dsa-slurm --profile lab config set worker.inFlight 500'],
    ['generous rate', '10000', { burst: 30, perSecond: 2 }, 'ok', undefined],
    ['meagre rate', '10000', { burst: 5, perSecond: 0.5 }, 'warn', 'config set slurm.pollSeconds 24'],
  ])('%s', (_name, jobs, rateLimit, status, fix) => {
    const finding = judgeLimits(
      { ...site, rateLimit },
      new Map([['MaxJobCount', jobs]]),
      settingsWith(),
      'lab',
    );
    expect(finding.status).toBe(status);
    if (fix === undefined) expect(finding.fix).toBeUndefined();
    else expect(finding.fix).toContain(fix);
  });

  it('compares MaxJobCount', async () => {
    const answers = { 'scontrol show config': exited('MaxJobCount             = 10\n') };
    await expectCheck(
      limits,
      answers,
      { status: 'warn', evidence: /allows 10 jobs/, fix: 'worker.inFlight 5' },
      {},
      site,
    );
  });
});

describe('apptainer', () => {
  it.each([
    ['Apptainer', exited('apptainer version 1.3.4-1.el9\n'), 'ok', /apptainer version 1\.3\.4/, null],
    ['Singularity CE', exited('singularity-ce version 4.1.0\n'), 'ok', /4\.1\.0/, null],
    [
      'old Singularity',
      exited('singularity version 3.8.7\n'),
      'fail',
      /3\.10\S* or later is required/,
      'Install a newer Apptainer',
    ],
    [
      'something else',
      exited('v1.2\n'),
      'fail',
      /does not look like Apptainer/,
      'config set apptainer.command apptainer',
    ],
    ['not there', missing, 'fail', /apptainer could not be started/, 'module load apptainer'],
    [
      'broken',
      exited('', { exitCode: 127, stderr: 'no lib' }),
      'fail',
      /exited with 127: no lib/,
      'apptainer.command',
    ],
  ])('version: %s', async (_name, answer, status, evidence, fix) => {
    await expectCheck(apptainerVersion, { 'apptainer --version': answer }, { status, evidence, fix });
  });

  const open = {
    profile: 'lab',
    isRoot: false,
    missingCapabilities: [],
    needsNoCapabilities: false,
    maxUserNamespaces: '15000',
    unprivilegedClone: null,
    apparmorRestricts: null,
    setuidStarter: null,
    fuse: 'open',
    squashfuse: '/usr/bin/squashfuse_ll',
  } as const;
  const noResource = { ...open, isRoot: true, missingCapabilities: [24] };
  const sysctl = 'sysctl -w user.max_user_namespaces';
  it.each<[string, PrivilegeFacts, string, string, string | null]>([
    ['open namespaces', open, 'ok', 'user namespaces are available', null],
    ['root', { ...open, isRoot: true, maxUserNamespaces: '0' }, 'ok', 'root with all', null],
    [
      'Root without CAP_SYS_RESOURCE',
      noResource,
      'warn',
      'Root without CAP_SYS_RESOURCE',
      `dsa-slurm --profile lab config set apptainer.options '["--userns"]'`,
    ],
    ['the same with --userns', { ...noResource, needsNoCapabilities: true }, 'ok', 'user namespaces', null],
    ['setuid', { ...open, maxUserNamespaces: '0\n', setuidStarter: '/x/starter-suid' }, 'ok', '/x/s', null],
    ['none at all', { ...open, maxUserNamespaces: '0\n' }, 'warn', 'max_user_namespaces is 0', sysctl],
    ['closed to others', { ...open, unprivilegedClone: '0\n' }, 'warn', 'unprivileged_userns_clone', sysctl],
    ['AppArmor', { ...open, apparmorRestricts: '1\n' }, 'warn', 'AppArmor', sysctl],
    [
      '/dev/fuse closed',
      { ...open, fuse: 'closed' },
      'warn',
      'may not open /dev/fuse',
      'chmod 666 /dev/fuse',
    ],
    ['no /dev/fuse', { ...open, fuse: 'missing' }, 'warn', 'There is no /dev/fuse', 'modprobe fuse'],
    ['no squashfuse', { ...open, squashfuse: null }, 'warn', 'unpacks its whole image', 'install squashfuse'],
  ])('privileges: %s', (_name, facts, status, evidence, fix) => {
    const finding = judgePrivileges(facts);
    expect(finding.evidence.join('\n')).toContain(evidence);
    expect(finding.status).toBe(status);
    if (fix === null) expect(finding.fix).toBeUndefined();
    else expect(finding.fix).toContain(fix);
  });

  const room = { path: '/tmp', setBy: null, free: 50e9 };
  const cache = { path: '/home/x/.apptainer/cache', bytes: 2e9, inHome: true, free: 80e9 };
  it.each<[string, PullFacts, string, string, string | null]>([
    ['room', { building: room, cache: null }, 'ok', 'images are built in /tmp, 50 GB free', null],
    [
      'little room',
      { building: { ...room, free: 2e9 }, cache: null },
      'warn',
      'Only 2 GB',
      'APPTAINER_TMPDIR=',
    ],
    [
      'a directory that is not there',
      { building: { path: '/gone', setBy: 'APPTAINER_TMPDIR', free: null }, cache: null },
      'fail',
      '/gone (APPTAINER_TMPDIR) does not exist',
      'mkdir -p /gone',
    ],
    ['a small cache', { building: room, cache }, 'ok', 'cache /home/x/.apptainer/cache has 2 GB', null],
    [
      'a large cache in a home',
      { building: room, cache: { ...cache, bytes: 12e9 } },
      'warn',
      'cache /home/x/.apptainer/cache has 12 GB, in the home directory, where 80 GB are free',
      'apptainer cache clean   # for later pulls: export APPTAINER_CACHEDIR=',
    ],
    [
      'a full home',
      { building: room, cache: { ...cache, free: 1e9 } },
      'warn',
      '1 GB are free',
      'cache clean',
    ],
    [
      'a large cache elsewhere',
      { building: room, cache: { ...cache, bytes: 12e9, inHome: false } },
      'ok',
      'has 12 GB',
      null,
    ],
  ])('pulls: %s', (_name, facts, status, evidence, fix) => {
    const finding = judgePulls(facts);
    expect(finding.evidence.join('\n')).toContain(evidence);
    expect(finding.status).toBe(status);
    if (fix === null) expect(finding.fix).toBeUndefined();
    else expect(finding.fix).toContain(fix);
  });

  it('parses the capabilities of a process', () => {
    expect(missingCapabilities(status('000001fffeffffff'), '40\n')).toEqual([24]);
    expect(missingCapabilities(status('000001ffffffffff'), '40\n')).toEqual([]);
    expect(missingCapabilities(status('000001ffffffffff'), null)).toEqual([]);
    expect(missingCapabilities('', '40')).toEqual([]);
  });
});

/** /proc/self/status of a process with these capabilities. */
function status(permitted: string): string {
  return `Name:\tnode\nCapInh:\t0\nCapPrm:\t${permitted}\nCapEff:\t0\n`;
}

async function expectCheck(
  check: Check,
  answers: Parameters<typeof fakeRun>[0],
  wanted: { status: string; evidence: RegExp; fix: string | null },
  flags: Record<string, unknown> = {},
  facts: ClusterInfo = site,
): Promise<void> {
  const result = await ask(
    check,
    { run: fakeRun(answers), settings: settingsWith(flags) },
    { 'slurm.version': facts },
  );
  expect(result.evidence.join('\n')).toMatch(wanted.evidence);
  expect(result.status).toBe(wanted.status);
  if (wanted.fix === null) expect(result.fix).toBeNull();
  else expect(result.fix).toContain(wanted.fix);
}
