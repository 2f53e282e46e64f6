import { describe, expect, test } from 'vitest';
import {
  judgeJobStart,
  parsePartitionFacts,
  type StartJudgment,
} from '../../../src/doctor/job-limits/judge-start.js';
import {
  parseUsage,
  type AccountingLimits,
  type Limits,
} from '../../../src/doctor/job-limits/accounting-limits.js';
import { parseTres, requestedTres } from '../../../src/doctor/job-limits/tres.js';
import { jobKinds } from '../../../src/worker/job-request/resources.js';
import { settingsWith } from '../../support/doctor.js';

describe('amounts', () => {
  test.each([
    ['cpu=2,mem=4G,node=1', { cpu: 2, mem: 4_096, node: 1 }],
    ['mem=4000M,gres/gpu=1,gres/gpu:a100=2', { mem: 4_000, 'gres/gpu': 1, 'gres/gpu:a100': 2 }],
    ['mem=1.50T', { mem: 1_572_864 }],
    ['mem=500', { mem: 500 }],
    ['', {}],
    ['nonsense', {}],
  ])('of a limit: %s', (text, expected) => {
    expect(Object.fromEntries(parseTres(text))).toEqual(expected);
  });

  test.each([
    [{}, { cpu: 1, node: 1 }],
    [
      { 'cpus-per-task': '4', ntasks: '2', mem: '16G' },
      { cpu: 8, node: 1, mem: 16_384 },
    ],
    [{ mem: '500' }, { cpu: 1, node: 1, mem: 500 }],
    [{ mem: '2048KB' }, { cpu: 1, node: 1, mem: 2 }],
    // the whole node
    [{ mem: '0' }, { cpu: 1, node: 1 }],
    [{ gres: 'gpu' }, { cpu: 1, node: 1, 'gres/gpu': 1 }],
    [{ gres: 'gpu:2' }, { cpu: 1, node: 1, 'gres/gpu': 2 }],
    [
      { gres: 'gpu:a100:2,scratch:1K' },
      { cpu: 1, node: 1, 'gres/gpu': 2, 'gres/gpu:a100': 2, 'gres/scratch': 1_024 },
    ],
    [{ gres: 'gpu:a100' }, { cpu: 1, node: 1, 'gres/gpu': 1, 'gres/gpu:a100': 1 }],
    [{ gres: 'none' }, { cpu: 1, node: 1 }],
  ])('of a job: %j', (options, expected) => {
    expect(Object.fromEntries(requestedTres(new Map(Object.entries(options)), new Map()))).toEqual(expected);
  });

  test.each([
    [{ DefMemPerCPU: '500', DefMemPerNode: 'UNLIMITED' }, 1_000],
    [{ DefMemPerNode: '3000' }, 3_000],
    [{ DefMemPerNode: 'UNLIMITED' }, undefined],
  ])('of memory by default: %j', (defaults, expected) => {
    const request = new Map([['cpus-per-task', '2']]);
    expect(requestedTres(request, new Map(Object.entries(defaults))).get('mem')).toBe(expected);
  });
});

describe('default memory', () => {
  const config = new Map([['DefMemPerCPU', '500']]);
  test.each([
    ['PartitionName=a DefMemPerNode=UNLIMITED', '500'],
    ['PartitionName=a DefMemPerCPU=200', '200'],
    ['PartitionName=a DefMemPerNode=900', undefined],
  ])('of the cluster applies where the partition has none: %s', (line, expected) => {
    expect(parsePartitionFacts(line, config).get('a')?.get('DefMemPerCPU')).toBe(expected);
  });
});

const limits = (of: string, text: string) => ({
  of,
  maxWall: null,
  tres: new Map([['MaxTRES' as const, parseTres(text)]]),
  jobs: new Map<string, number>(),
});

describe('the first level that limits a resource counts', () => {
  const accounting: AccountingLimits = {
    isEnforced: true,
    isSafe: false,
    defaultAccount: 'path',
    defaultQos: new Map([['path', 'normal']]),
    qos: new Map([['normal', limits('QOS normal', 'cpu=8')]]),
    associations: new Map([['path', [limits('account path', 'cpu=1,gres/gpu=1')]]]),
  };
  const partitions = parsePartitionFacts('PartitionName=main Default=YES MaxNodes=UNLIMITED', new Map());
  test.each([
    [{ 'cpus-per-task': '4' }, []],
    [{ 'cpus-per-task': '9' }, ['QOS normal allows a job 8 CPUs (MaxTRES), not 9']],
    [{ gres: 'gpu:2' }, ['account path allows a job 1 gres/gpu (MaxTRES), not 2']],
  ])('%j', (options, forever) => {
    expect(judgeJobStart(new Map(Object.entries(options)), partitions, accounting)).toEqual({
      forever,
      usedUp: [],
      notes: [],
    });
  });
});

/** Judges a job of 2 CPUs and 30 minutes under limits of the QOS `normal`. */
function judgeUnder(normal: Partial<Limits>, isSafe: boolean): StartJudgment {
  const accounting: AccountingLimits = {
    isEnforced: true,
    isSafe,
    defaultAccount: 'path',
    defaultQos: new Map([['path', 'normal']]),
    qos: new Map([
      ['normal', { of: 'QOS normal', maxWall: null, tres: new Map(), jobs: new Map(), ...normal }],
    ]),
    associations: new Map(),
  };
  const request = new Map([
    ['cpus-per-task', '2'],
    ['time', '30'],
  ]);
  return judgeJobStart(request, parsePartitionFacts('PartitionName=main Default=YES', new Map()), accounting);
}

describe('computing time that jobs share', () => {
  test.each([
    ['GrpTRESRunMins', 'cpu=59', false, ['running jobs together 59 CPUs times minutes (GrpTRESRunMins)']],
    ['GrpTRESRunMins', 'cpu=60', false, []],
    ['GrpTRESMins', 'cpu=59', true, ['all jobs together 59 CPUs times minutes (GrpTRESMins)']],
    // the job may start, and ends when the time is used up
    ['GrpTRESMins', 'cpu=59', false, []],
    ['GrpTRESMins', 'cpu=0', false, ['all jobs together 0 CPUs times minutes (GrpTRESMins)']],
    ['GrpTRESMins', 'gres/gpu=0', false, []],
  ] as const)('%s=%s, safe: %s', (limit, text, isSafe, reasons) => {
    expect(judgeUnder({ tres: new Map([[limit, parseTres(text)]]) }, isSafe).forever).toEqual(
      reasons.map((reason) => `QOS normal allows ${reason}, and one job requests 60`),
    );
  });
});

test('the kinds of jobs of a profile: usual, with a GPU, and one for each rule', () => {
  const { slurm } = settingsWith({
    'slurm.partition': 'main',
    'slurm.gpuPartition': 'gpu',
    'slurm.mem': '1G',
    'slurm.rules': [
      { cli: 'a', mem: '2G' },
      { gpu: true, gres: 'gpu:2' },
    ],
  });
  expect(
    jobKinds(slurm).map(({ rule, resources }) => [
      rule,
      resources.map(({ option, value }) => `${option}=${value}`).toSorted(),
    ]),
  ).toEqual([
    [null, ['mem=1G', 'partition=main']],
    [null, ['gres=gpu:1', 'mem=1G', 'partition=gpu']],
    [1, ['mem=2G', 'partition=main']],
    [2, ['gres=gpu:2', 'mem=1G', 'partition=gpu']],
  ]);
});

describe('computing time that is used up', () => {
  // Slurm 22.05.8, shortened
  const shown = [
    'Current Association Manager state',
    'Association Records',
    'ClusterName=sandbox Account=path UserName= Partition= Priority=0 ID=3 GrpWall=N(0.00) GrpTRES=cpu=N(0),mem=N(0) GrpTRESMins=cpu=2(3),mem=N(0) GrpTRESRunMins=cpu=N(4),mem=N(0)',
    'ClusterName=sandbox Account=path UserName=pat(1000) Partition= Priority=0 ID=4 GrpTRESMins=cpu=N(3),gres/gpu=5(1) GrpTRESRunMins=cpu=N(9)',
    'ClusterName=sandbox Account=path UserName=other(1001) Partition= Priority=0 ID=5 GrpTRESMins=cpu=N(7) GrpTRESRunMins=cpu=N(9)',
    'QOS Records',
    'QOS=short(2) UsageRaw=180.000000 GrpJobs=N(0) GrpTRESMins=cpu=1(3),mem=N(0) GrpTRESRunMins=cpu=N(0) MaxTRESMinsPJ= MinTRESPJ=',
  ].join('\n');

  test('is read from what slurmctld prints', () => {
    const plain = [...parseUsage(shown, 'pat')].map(([of, used]) => [of, Object.fromEntries(used)]);
    expect(Object.fromEntries(plain)).toEqual({
      'account path': { cpu: 3, mem: 0 },
      'pat in account path': { cpu: 3, 'gres/gpu': 1 },
      'QOS short': { cpu: 3, mem: 0 },
    });
    expect([
      ...parseUsage('slurm_load_assoc_mgr_info error: Unable to contact slurm controller', 'pat'),
    ]).toEqual([]);
  });

  test.each([
    ['cpu=99', false, []],
    ['cpu=100', false, ['QOS normal has used 100 of 100 CPUs times minutes (GrpTRESMins)']],
    ['cpu=40', true, []],
    // a safe site starts only jobs that can run to their time limit: 2 CPUs for 30 minutes
    ['cpu=41', true, ['QOS normal has used 41 of 100 CPUs times minutes (GrpTRESMins)']],
    ['gres/gpu=500', true, []],
  ] as const)('%s of 100, safe: %s', (used, isSafe, usedUp) => {
    const tres = new Map([['GrpTRESMins' as const, parseTres('cpu=100')]]);
    expect(judgeUnder({ tres, used: parseTres(used) }, isSafe)).toEqual({ forever: [], usedUp, notes: [] });
  });
});
