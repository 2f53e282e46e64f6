import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { describeFailure } from '../../../src/base/command.js';
import { account } from '../../../src/doctor/checks/slurm/account.js';
import { accounting } from '../../../src/doctor/checks/slurm/limits.js';
import { start } from '../../../src/doctor/checks/slurm/start.js';
import { submitLine } from '../../../src/doctor/checks/slurm/submit.js';
import { pendingSentence } from '../../../src/slurm/pending-reasons.js';
import { readClusterInfo, type ClusterInfo } from '../../../src/slurm/site.js';
import { startAccountingSite, type AccountingSite } from '../../support/accounting-site.js';
import { ask, settingsWith } from '../../support/doctor.js';

let site: AccountingSite;
let facts: { 'slurm.version': ClusterInfo };

beforeAll(async () => {
  site = await startAccountingSite();
  facts = { 'slurm.version': await readClusterInfo(site.run) };
  // uses more than one CPU times minute while the tests below run
  const options = ['--account=research', '--cpus-per-task=8', '--time=1', '--output=/dev/null'];
  await site.must('sbatch', '--job-name=use', ...options, '--wrap=sleep 9');
}, 180_000);
afterAll(async () => site.close());

function flagsOf(slurm: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(slurm).map(([key, value]) => [`slurm.${key}`, value]));
}

async function judge(check: typeof start, slurm: Record<string, unknown> = {}) {
  return ask(check, { run: site.run, settings: settingsWith(flagsOf(slurm)) }, facts);
}

describe('whether jobs would ever start', () => {
  test('is well where nothing speaks against it', async () => {
    expect(await judge(start)).toMatchObject({ status: 'ok' });
    expect(await judge(start, { partition: 'fastonly', qos: 'short' })).toMatchObject({ status: 'ok' });
    expect(await judge(start, { partition: 'others', account: 'research' })).toMatchObject({ status: 'ok' });
  });

  test.each([
    ['AllowQos', { partition: 'fastonly' }, /accepts only QOS short, not normal/],
    ['AllowAccounts', { partition: 'others' }, /accepts only account research, not path/],
    ['DenyAccounts', { partition: 'denied' }, /does not accept account path/],
    ['DenyQos', { partition: 'denied', account: 'research', qos: 'short' }, /does not accept QOS short/],
    ['MaxTime', { partition: 'brief', time: '10' }, /allows 1 min \(MaxTime\), not 10 min/],
    [
      'a rule',
      { rules: [{ cli: 'Slow', partition: 'brief', time: '1:00:00' }] },
      /rule 1 of slurm.rules.*not 60 min/,
    ],
  ])('%s', async (_, slurm, evidence) => {
    const found = await judge(start, slurm);
    expect(found).toMatchObject({ status: 'fail' });
    expect(found.evidence.join('\n')).toMatch(evidence);
  });

  test('limits of QOS and account', async () => {
    await site.modify('qos', 'short', 'MaxWall=2');
    await site.modify('qos', 'short', 'GrpTRES=cpu=0');
    await site.modify('account', 'path', 'GrpTRES=cpu=2');
    const wall = await judge(start, { qos: 'short', time: '10' });
    expect(wall.evidence.join('\n')).toMatch(/QOS short allows 2 min \(MaxWall\)/);
    expect(wall.evidence.join('\n')).toMatch(/QOS short allows all jobs together 0 CPUs/);
    const cpus = await judge(start, { cpus: 4 });
    expect(cpus.evidence.join('\n')).toMatch(/account path allows all jobs together 2 CPUs/);
    await site.modify('qos', 'short', 'MaxWall=-1');
    await site.modify('qos', 'short', 'GrpTRES=cpu=-1');
    await site.modify('account', 'path', 'GrpTRES=cpu=-1');
  });

  test.each([
    ['MaxWall=3', 'MaxWall=-1', { time: '10' }, /account path allows 3 min \(MaxWall\), not 10 min/],
    ['MaxTRES=cpu=1', 'MaxTRES=cpu=-1', { cpus: 4 }, /account path allows a job 1 CPU \(MaxTRES\), not 4/],
    ['GrpSubmitJobs=0', 'GrpSubmitJobs=-1', {}, /account path allows no jobs \(GrpSubmitJobs\)/],
    ['MaxSubmitJobs=0', 'MaxSubmitJobs=-1', {}, /account path allows no jobs \(MaxSubmitJobs\)/],
  ])('an association with %s', async (limit, none, slurm, evidence) => {
    await site.modify('account', 'path', limit);
    try {
      const found = await judge(start, slurm);
      expect(found).toMatchObject({ status: 'fail' });
      expect(found.evidence.join('\n')).toMatch(evidence);
      // the same limit, on a site that does not enforce any
      const noted = await ask(
        start,
        { run: site.run, settings: settingsWith(flagsOf(slurm)) },
        {
          'slurm.version': { ...facts['slurm.version'], enforced: ['associations'] },
        },
      );
      expect(noted).toMatchObject({ status: 'ok' });
      expect(noted.evidence.join('\n')).toMatch(/not enforced here/);
    } finally {
      await site.modify('account', 'path', none);
    }
  });
});

/** Why Slurm does not start such a job; sbatch's message if it refuses it. */
async function reasonOfRealJob(slurm: Readonly<Record<string, string | number>>): Promise<string> {
  const options = Object.entries(slurm).map(
    ([name, value]) => `--${name === 'cpus' ? 'cpus-per-task' : name}=${value}`,
  );
  const answer = await site.run('sbatch', [
    '--parsable',
    '--output=/dev/null',
    ...options,
    '--wrap=sleep 60',
  ]);
  if (answer.kind !== 'exited' || answer.exitCode !== 0) return describeFailure(answer);
  const id = answer.stdout.trim();
  try {
    let row = '';
    await expect
      .poll(async () => (row = await site.must('squeue', '--noheader', '--jobs', id, '--format=%T %r')), {
        timeout: 90_000,
      })
      .not.toMatch(/ (None|Priority|Resources)$/m);
    expect(row).toMatch(/^PENDING /);
    // its owner reads a sentence, and not Slurm's own word
    expect(pendingSentence(row.replace(/^PENDING /, ''))).not.toContain('the cluster says');
    return row;
  } finally {
    await site.must('scancel', id);
  }
}

const onAccount = (limit: string) => ({ what: 'account', name: 'path', limit }) as const;
const onQos = (limit: string) => ({ what: 'qos', name: 'normal', limit }) as const;

describe('what the check says never starts', () => {
  test.each([
    [onAccount('GrpTRES=mem=1G'), { mem: '2G' }, /account path .* 1024 MB of memory \(GrpTRES\)/, /GrpMem/],
    [onAccount('MaxTRES=node=0'), {}, /allows a job 0 nodes \(MaxTRES\), not 1/, /Node/],
    [onQos('MaxTRES=mem=400'), {}, /QOS normal allows a job 400 MB of memory \(MaxTRES\), not 500/, /Mem/],
    [onQos('GrpTRES=gres/gpu=1'), { gres: 'gpu:2' }, /together 1 gres\/gpu \(GrpTRES\)/, /GRES/i],
    [onQos('MaxTRES=gres/gpu=0'), { gres: 'gpu' }, /allows a job 0 gres\/gpu \(MaxTRES\), not 1/, /GRES/i],
    [onQos('MaxTRESPerUser=cpu=1'), { cpus: 2 }, /a user together 1 CPU \(MaxTRESPerUser\)/, /PerUser/],
    [onQos('MaxTRESPerAccount=cpu=1'), { cpus: 2 }, /\(MaxTRESPerAccount\)/, /./],
    [onQos('MaxTRESPerNode=cpu=1'), { cpus: 2 }, /\(MaxTRESPerNode\), not 2/, /./],
    [onQos('MinTRES=cpu=2'), {}, /requires a job to request 2 CPUs \(MinTRES\), not 1/, /Min/],
    [onQos('MaxTRESMins=cpu=10'), { time: '20' }, /10 CPUs times minutes \(MaxTRESMins\), not 20/, /./],
    [
      onQos('GrpTRESRunMins=cpu=10'),
      { time: '20' },
      /running jobs together 10 CPUs times minutes \(GrpTRESRunMins\)/,
      /./,
    ],
    [onAccount('GrpTRESRunMins=cpu=10'), { time: '20' }, /account path .* \(GrpTRESRunMins\).* 20/, /./],
    [
      onQos('GrpTRESMins=cpu=0'),
      { time: '20' },
      /all jobs together 0 CPUs times minutes \(GrpTRESMins\)/,
      /./,
    ],
    [onAccount('GrpTRESMins=cpu=0'), { time: '20' }, /account path .* \(GrpTRESMins\).* 20/, /./],
    [null, { partition: 'small', cpus: 4 }, /2 CPUs \(MaxCPUsPerNode\), not 4/, /./],
    [null, { partition: 'small', mem: '2G' }, /1000 MB of memory \(MaxMemPerNode\), not 2048/, /./],
  ] as const)('%j, jobs with %j', async (change, slurm, evidence, reason) => {
    if (change !== null) await site.modify(change.what, change.name, change.limit);
    try {
      const found = await judge(start, slurm);
      expect(found).toMatchObject({ status: 'fail' });
      expect(found.evidence.join('\n')).toMatch(evidence);
      expect(await reasonOfRealJob(slurm)).toMatch(reason);
    } finally {
      if (change !== null)
        await site.modify(change.what, change.name, change.limit.replace(/=[^=]*$/, '=-1'));
    }
  });
});

test('computing time that is used up', async () => {
  await expect.poll(() => site.must('squeue', '--noheader', '--name=use'), { timeout: 60_000 }).toBe('');
  await site.modify('account', 'research', 'GrpTRESMins=cpu=1');
  try {
    const found = await judge(start, { account: 'research' });
    expect(found).toMatchObject({ status: 'fail' });
    expect(found.evidence.join('\n')).toMatch(/account research has used \d+ of 1 CPU times minutes/);
    expect(await reasonOfRealJob({ account: 'research' })).toMatch(/AssocGrpCPUMinutes/);
    expect(await judge(start, { account: 'path' })).toMatchObject({ status: 'ok' });
  } finally {
    await site.modify('account', 'research', 'GrpTRESMins=cpu=-1');
  }
});

test('a rule that sbatch would refuse is reported with a value of this site', async () => {
  const run = site.run;
  const flags = {
    ...flagsOf({
      rules: [
        { cli: 'Linger', qos: 'secret' },
        { cli: 'Fast', qos: 'short' },
      ],
    }),
    'dirs.logs': site.dir,
  };
  const found = await ask(submitLine, { run, settings: settingsWith(flags) }, facts);
  expect(found).toMatchObject({ status: 'fail' });
  expect(found.evidence.join('\n')).toMatch(/would refuse jobs of rule 1 of slurm.rules: .*Invalid qos/);
  expect(found.evidence.join('\n')).not.toMatch(/refuse jobs of rule 2/);
  expect(found.fix).toMatch(/change rule 1; qos: (normal|short)$/);
});

describe('accounts', () => {
  test('of another cluster in the same database are not proposed', async () => {
    const found = await judge(account, { account: 'elsewhere' });
    expect(found).toMatchObject({ status: 'fail' });
    expect(found.evidence.join('\n')).toContain('may not use account "elsewhere". Available: ');
    expect(found.evidence.join('\n')).toContain('path');
    expect(found.fix).not.toContain('elsewhere');
  });

  test('the default one is known, and so is a QOS that is not open to it', async () => {
    expect(await judge(account, { qos: 'short' })).toMatchObject({ status: 'ok' });
    expect(await judge(account, { qos: 'secret' })).toMatchObject({ status: 'fail' });
  });
});

test('accounting that does not answer is reported', async () => {
  expect(await judge(accounting)).toMatchObject({ status: 'ok' });
  await site.slurm.daemon('slurmdbd').kill();
  expect(await judge(accounting)).toMatchObject({ status: 'warn' });
  await site.slurm.daemon('slurmdbd').start();
});
