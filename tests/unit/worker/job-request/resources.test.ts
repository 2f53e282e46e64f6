import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { submitArguments } from '../../../../src/slurm/commands/sbatch.js';
import {
  girderSlurmKeys,
  readGirderSlurmSettings,
  type GirderSlurmSettings,
} from '../../../../src/worker/job-request/girder-slurm-settings.js';
import {
  asOption,
  chooseResources,
  originText,
  type ResourceNeeds,
} from '../../../../src/worker/job-request/resources.js';
import { globMatches } from '../../../../src/base/text/glob.js';
import { matchingRule } from '../../../../src/worker/job-request/rules.js';
import { someSettings } from '../../../support/settings.js';

const needs: ResourceNeeds = {
  gpu: false,
  subject: { image: 'example/small:v1', cli: 'Segment' },
  girder: null,
  userOptions: [],
};

function girder(answer: Record<string, unknown>): GirderSlurmSettings {
  return readGirderSlurmSettings(
    Object.fromEntries(Object.entries(answer).map(([name, value]) => [`worker_slurm.${name}`, value])),
  ).settings;
}

/** What comes of it, as one line for each resource. */
function lines(over: Record<string, unknown>, asked: Partial<ResourceNeeds> = {}): string[] {
  return chooseResources(someSettings(over).slurm, { ...needs, ...asked }).resources.map(
    ({ option, value, origin }) => `${option}=${value} ${originText(origin)}`,
  );
}

describe('chooseResources', () => {
  it('lets the task override a rule, a rule override Girder, and Girder override the profile', () => {
    const settings = {
      'slurm.partition': 'profile',
      'slurm.account': 'profile',
      'slurm.mem': '1G',
      'slurm.cpus': '1',
      'slurm.rules': '[{"image":"other"},{"cli":"Seg*","account":"rule","mem":"3G","time":"1"},{"mem":"9G"}]',
    };
    expect(
      lines(settings, {
        girder: girder({ account: 'girder', mem: '2G', cpus: 2 }),
        userOptions: [['mem-per-cpu', '4G']],
      }),
    ).toEqual([
      'partition=profile slurm.partition',
      'cpus-per-task=2 Girder: worker_slurm.cpus',
      'account=rule rule 2 of slurm.rules',
      'time=1 rule 2 of slurm.rules',
      'mem-per-cpu=4G the task itself',
    ]);
  });

  it('applies each setting of the profile', () => {
    const profile = {
      'slurm.partition': 'p',
      'slurm.account': 'a',
      'slurm.qos': 'q',
      'slurm.time': '1-0',
      'slurm.mem': '8G',
      'slurm.cpus': '4',
      'slurm.gres': 'scratch:5',
      'slurm.constraint': 'avx2',
    };
    const usual = [
      'partition=p slurm.partition',
      'account=a slurm.account',
      'qos=q slurm.qos',
      'time=1-0 slurm.time',
      'mem=8G slurm.mem',
      'cpus-per-task=4 slurm.cpus',
    ];
    const constraint = 'constraint=avx2 slurm.constraint';
    expect(lines(profile)).toEqual([...usual, 'gres=scratch:5 slurm.gres', constraint]);
    const forGpus = { ...profile, 'slurm.gpuPartition': 'g', 'slurm.gpuGres': 'gpu:a100:1' };
    expect(lines(forGpus)).toEqual([...usual, 'gres=scratch:5 slurm.gres', constraint]);
    expect(lines(forGpus, { gpu: true })).toEqual([
      'partition=g slurm.gpuPartition',
      ...usual.slice(1),
      'gres=gpu:a100:1 slurm.gpuGres',
      constraint,
    ]);
  });

  it('applies each part of a rule', () => {
    const rule = {
      partition: 'p',
      account: 'a',
      qos: 'q',
      time: '1-0',
      mem: '8G',
      cpus: 4,
      ntasks: 2,
      gres: 'scratch:5',
      constraint: 'avx2',
      reservation: 'course',
    };
    expect(lines({ 'slurm.rules': [rule] })).toEqual(
      Object.entries(rule).map(
        ([name, value]) => `${name === 'cpus' ? 'cpus-per-task' : name}=${value} rule 1 of slurm.rules`,
      ),
    );
  });

  it.each<[answer: Record<string, unknown>, gpu: boolean, expected: string[]]>([
    [{ account: 'a', mem: '2G', cpus: '3' }, false, ['account=a', 'cpus-per-task=3', 'mem=2G']],
    [{ partition: 'a', gpu_partition: 'b' }, false, ['partition=a']],
    [{ partition: 'a', gpu_partition: 'b' }, true, ['gres=gpu:1', 'partition=b']],
    [{ gpu: '2' }, true, ['gres=gpu:2']],
    [{ gpu: '2', gres_config: 'gpu:a100:2' }, true, ['gres=gpu:a100:2']],
    [{ gres_config: 'gpu:a100:2' }, false, []],
    [{ gres_config: 'scratch:5' }, false, ['gres=scratch:5']],
    [{ gres_config: 'scratch:5' }, true, ['gres=gpu:1']],
    [{ qos: 'q', ntasks: '3', time: '1-0' }, false, ['qos=q', 'time=1-0', 'ntasks=3']],
  ])('applies the settings of Girder: %j, GPU %j', (answer, gpu, expected) => {
    const { resources } = chooseResources(someSettings().slurm, { ...needs, gpu, girder: girder(answer) });
    expect(resources.map(({ option, value }) => `${option}=${value}`).toSorted()).toEqual(
      expected.toSorted(),
    );
  });
});

describe('matchingRule', () => {
  it.each([
    [{}, true],
    [{ image: 'example/*' }, true],
    [{ image: 'example/small' }, false],
    [{ image: '*/small:v?', cli: 'Segment' }, true],
    [{ cli: 'segment' }, false],
    [{ gpu: false }, true],
    [{ gpu: true }, false],
    [{ image: 'example/*', gpu: true }, false],
  ])('%j fits: %j', (rule, fits) => {
    expect(matchingRule([rule], { ...needs.subject, gpu: false }) !== null).toBe(fits);
  });

  it('matches the image name of the task, which may be a digest', () => {
    const subject = { image: 'example/train@sha256:0123', cli: '', gpu: false };
    const fits = (image: string): boolean => matchingRule([{ image }], subject) !== null;
    expect([fits('example/train*'), fits('example/train:*')]).toEqual([true, false]);
  });

  it('uses the first match, counted from 1', () => {
    const rules = [{ cli: 'x' }, { mem: '1G' }, { mem: '2G' }];
    expect(matchingRule(rules, { ...needs.subject, gpu: true })).toEqual({ rule: { mem: '1G' }, number: 2 });
    expect(matchingRule([], { ...needs.subject, gpu: true })).toBeNull();
  });
});

describe('globMatches', () => {
  it('agrees with a regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 });
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 10 });
    fc.assert(
      fc.property(letters, texts, (glob, text) => {
        const pattern = glob.replaceAll('.', '\\.').replaceAll('?', '.').replaceAll(/\*+/g, '.*');
        expect(globMatches(glob, text, { sets: false })).toBe(new RegExp(`^${pattern}$`).test(text));
      }),
    );
  });

  it('is fast with many stars', () => {
    expect(globMatches('*a'.repeat(200), 'a'.repeat(199) + 'b'.repeat(300), { sets: false })).toBe(false);
  });
});

describe('readGirderSlurm', () => {
  it.each([
    ['', false, null],
    [null, false, null],
    [true, true, null],
    ['yes', true, null],
    ['0', false, null],
    [2, true, 2],
    ['False', false, null],
  ])('gpu %j', (value, gpu, gpuCount) => {
    expect(readGirderSlurmSettings({ 'worker_slurm.gpu': value })).toMatchObject({
      settings: { gpu, gpuCount },
      problems: [],
    });
  });

  it.each([
    ['mem', '8G --uid=0'],
    ['mem', '-1'],
    ['partition', 'a\nb'],
    ['account', '--wrap=sh'],
    ['cpus', 'many'],
    ['gres_config', '$(id)'],
    ['qos', { $ne: 1 }],
    ['gpu', 'perhaps'],
    ['time', 'x'.repeat(1_000)],
  ])('ignores %s %j and reports it', (name, value) => {
    const { settings, problems } = readGirderSlurmSettings({ [`worker_slurm.${name}`]: value });
    expect(problems).toEqual([expect.stringContaining(`worker_slurm.${name} is ignored`)]);
    expect(settings).toEqual(readGirderSlurmSettings({}).settings);
  });

  it('settings of Girder cannot add other options or files to sbatch', () => {
    const expected = /^--(partition|account|qos|time|mem|cpus-per-task|ntasks|gres)=[\w.,:/@-]+$/;
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...girderSlurmKeys), fc.anything()),
        fc.boolean(),
        (answer, gpu) => {
          const read = readGirderSlurmSettings(answer).settings;
          const { resources } = chooseResources(someSettings().slurm, { ...needs, gpu, girder: read });
          const args = submitArguments({
            logFile: '/l',
            options: resources.map(asOption),
            key: 'k',
            script: '/s',
            scriptArgs: [],
          });
          for (const arg of args.slice(6, -1)) expect(arg).toMatch(expected);
        },
      ),
    );
  });
});
