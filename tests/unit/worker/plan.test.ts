import { describe, expect, it } from 'vitest';
import type { ImageFacts } from '../../../src/apptainer/inspect.js';
import { readGirderSlurm } from '../../../src/worker/girder-slurm.js';
import { acceptedJob, planJob, type PlanRequest } from '../../../src/worker/plan.js';
import { someSettings } from '../../support/settings.js';

const facts: ImageFacts = {
  labels: {},
  workingDirectory: '/opt/app',
  workingDirectoryFrom: 'oci',
  entrypoint: ['./entry.sh'],
  entrypointFrom: 'oci',
  cmd: [],
  needsGpu: false,
};

function request(
  over: Partial<PlanRequest> = {},
  args: readonly string[] = ['Tiny', '/in.tif'],
): PlanRequest {
  return {
    runId: 'run-1',
    analysis: {
      image: 'example/small:v1',
      entrypoint: null,
      environment: { LEVEL: '3' },
      gpu: false,
      args: [],
      streams: [],
    },
    staged: {
      args,
      argsHoldToken: false,
      binds: [{ host: '/tmp/run', container: '/mnt/in', mode: 'rw' }],
      ownDirectories: ['/tmp/run'],
    },
    sif: '/images/example_small_v1.sif',
    facts,
    settings: someSettings({ 'slurm.partition': 'batch', 'slurm.mem': '4G' }),
    logsDir: '/logs',
    submitScript: { path: '/site/run.slurm', takesArgumentsFile: true },
    girder: null,
    ...over,
  };
}

const exec = ['--pwd', '/opt/app', '--bind', '/tmp/run:/mnt/in:rw', '/images/example_small_v1.sif'];

describe('planJob', () => {
  it('decides the command, the environment and the files of a job', () => {
    const job = acceptedJob(planJob(request()));
    expect(job).toMatchObject({ workingDirectory: '/opt/app', exec, argumentsFile: null });
    expect(job.command).toEqual(['./entry.sh', 'Tiny', '/in.tif']);
    expect(job.submission).toEqual({
      key: 'run-1',
      logFile: '/logs/dsa-slurm-run-1.log',
      exitRecord: '/logs/dsa-slurm-run-1.exit',
      streams: {},
    });
    expect(job.request).toMatchObject({
      script: '/site/run.slurm',
      scriptArgs: [...exec, ...job.command],
      env: { APPTAINERENV_LEVEL: '3', DSA_SLURM_EXIT_RECORD: '/logs/dsa-slurm-run-1.exit' },
    });
  });

  it.each<[who: string, over: Partial<PlanRequest>]>([
    ['the task', { analysis: { ...request().analysis, gpu: true } }],
    ['the image', { facts: { ...facts, needsGpu: true } }],
    ['Girder', { girder: readGirderSlurm({ 'worker_slurm.gpu': 'true' }).settings }],
  ])('gives the run a GPU that %s asks for', (_who, over) => {
    expect(planJob(request())).toMatchObject({ gpu: false });
    const plan = planJob(request(over));
    expect(plan.gpu).toBe(true);
    expect(plan.resources).toContainEqual(expect.objectContaining({ option: 'gres', value: 'gpu:1' }));
    expect(plan.job?.exec).toContain('--nv');
  });

  it('keeps a token out of the command line', () => {
    const { staged } = request({}, ['Tiny', 'TOKEN']);
    const job = acceptedJob(planJob(request({ staged: { ...staged, argsHoldToken: true } })));
    expect(JSON.stringify(job.request)).not.toContain('TOKEN');
    expect(job.argumentsFile?.path).toBe('/tmp/run/arguments');
    expect(job.request.env['DSA_SLURM_ARGUMENTS']).toBe('/tmp/run/arguments');
  });

  it('says who asked for each resource', () => {
    const { resources } = planJob(request({}, ['Tiny', '--slurm_mem', '8G']));
    expect(resources).toEqual([
      { option: 'partition', value: 'batch', origin: { from: 'profile', setting: 'slurm.partition' } },
      { option: 'mem', value: '8G', origin: { from: 'user' } },
    ]);
  });

  it('names every reason to refuse, and shows the job all the same where there is one', () => {
    const plan = planJob(request({}, ['Tiny', '--slurm_wrap=x', '--slurm_uid=0']));
    expect(plan.refusals.map(({ message }) => message)).toEqual([
      expect.stringContaining('--slurm_wrap'),
      expect.stringContaining('--slurm_uid'),
    ]);
    expect(plan.job?.command).toEqual(['./entry.sh', 'Tiny']);
    expect(() => acceptedJob(plan)).toThrow('--slurm_wrap');

    const mute = planJob(request({ facts: { ...facts, workingDirectory: null } }, ['--slurm_uid=0']));
    expect(mute.job).toBeNull();
    expect(mute.refusals.map(({ message }) => message)).toEqual([
      expect.stringContaining('--slurm_uid'),
      expect.stringContaining('working directory'),
    ]);
  });
});
