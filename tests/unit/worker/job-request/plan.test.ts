import { describe, expect, it } from 'vitest';
import type { ImageFacts } from '../../../../src/apptainer/inspect.js';
import { readGirderSlurmSettings } from '../../../../src/worker/job-request/girder-slurm-settings.js';
import { acceptedJob, planJob, type PlanRequest } from '../../../../src/worker/job-request/plan.js';
import { someSettings } from '../../../support/settings.js';

const facts: ImageFacts = {
  labels: {},
  workingDirectory: '/opt/app',
  workingDirectoryFrom: 'oci',
  entrypoint: ['./entry.sh'],
  entrypointFrom: 'oci',
  cmd: [],
  needsGpu: false,
  oci: null,
  inside: null,
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
    submitScript: {
      path: '/site/run.slurm',
      takesArgumentsFile: true,
      takesTimeWarning: true,
      writesBeginRecord: true,
      cancelSignal: 'QUIT',
    },
    girder: null,
    ...over,
  };
}

const isolated = [
  '--contain',
  '--no-mount',
  'cwd,hostfs',
  '--cleanenv',
  '--pid',
  '--ipc',
  '--no-eval',
  '--no-umask',
];
const exec = [
  ...isolated,
  '--pwd',
  '/opt/app',
  '--bind',
  '/tmp/run:/mnt/in:rw',
  '/images/example_small_v1.sif',
];
/** What Docker would make of its config. */
const oci = {
  workingDirectory: '/opt/app',
  entrypoint: ['./entry.sh'],
  cmd: [],
  environment: { PRICE: 'costs $5 and `id`', LEVEL: '1', HOME: '/opt/home' },
  user: '',
};

describe('planJob', () => {
  it('decides the command, the environment and the files of a job', () => {
    const job = acceptedJob(planJob(request()));
    expect(job).toMatchObject({ workingDirectory: '/opt/app', exec, directories: ['/tmp/run/job'] });
    expect(job.command).toEqual(['./entry.sh', 'Tiny', '/in.tif']);
    expect(job.submission).toEqual({
      key: 'run-1',
      logFile: '/logs/dsa-slurm-run-1.log',
      exitRecord: '/logs/dsa-slurm-run-1.exit',
      streams: {},
    });
    expect(job.request).toMatchObject({
      script: '/site/run.slurm',
      directory: '/tmp/run/job',
      env: {
        APPTAINERENV_LEVEL: '3',
        APPTAINER_QUIET: '1',
        DSA_SLURM_EXIT_RECORD: '/logs/dsa-slurm-run-1.exit',
        DSA_SLURM_ROOM: 'layer',
      },
    });
  });

  it('keeps all arguments in a file, hidden from "scontrol show job"', () => {
    const job = acceptedJob(planJob(request({}, ['Tiny', '--patient=Doe^Jane'])));
    expect(job.request.scriptArgs).toEqual([]);
    expect(JSON.stringify(job.request)).not.toContain('Doe');
    expect(job.argumentsFile).toEqual({
      path: '/tmp/run/arguments',
      content: [...exec, ...job.command].map((arg) => `${arg}\0`).join(''),
    });
    expect(job.request.env['DSA_SLURM_ARGUMENTS']).toBe('/tmp/run/arguments');
  });

  it('has Slurm warn the batch script of the time limit, unless the job sets another signal', () => {
    const optionsOf = (over: Partial<PlanRequest>, args?: string[]) =>
      acceptedJob(planJob(request(over, args))).request.options.filter(([name]) => name === 'signal');
    expect(optionsOf({})).toEqual([['signal', 'B:XCPU@10']]);
    expect(acceptedJob(planJob(request())).request.env['DSA_SLURM_WARNING']).toBe('10');
    const old = {
      path: '/site/run.slurm',
      takesArgumentsFile: true,
      takesTimeWarning: false,
      writesBeginRecord: true,
      cancelSignal: null,
    };
    expect(optionsOf({ submitScript: old })).toEqual([]);
    expect(optionsOf({ settings: someSettings({ 'slurm.cancelSeconds': 0 }) })).toEqual([]);
    const settings = someSettings({ 'slurm.userOptions': ['signal'] });
    expect(optionsOf({ settings }, ['Tiny', '--slurm_signal=USR1@60'])).toEqual([['signal', 'USR1@60']]);
  });

  it('gives a site script all arguments on its command line, and writable space in the run directory', () => {
    const submitScript = {
      path: '/site/run.slurm',
      takesArgumentsFile: false,
      takesTimeWarning: false,
      writesBeginRecord: true,
      cancelSignal: null,
    };
    const job = acceptedJob(planJob(request({ submitScript })));
    expect(job.argumentsFile).toBeNull();
    expect(job.request.scriptArgs).toEqual([...job.exec, ...job.command]);
    expect(job.exec.join(' ')).toContain('--workdir /tmp/run/container');
    expect(job.exec).toContain('--writable-tmpfs');
    expect(job.directories).toEqual(['/tmp/run/job', '/tmp/run/container']);
    expect(job.request.env['DSA_SLURM_ROOM']).toBeUndefined();
  });

  it('runs an OCI image with its own environment, verbatim, below that of the task, and its own home', () => {
    const job = acceptedJob(planJob(request({ facts: { ...facts, oci } })));
    expect(job.request.env).toMatchObject({
      APPTAINERENV_PRICE: 'costs $5 and `id`',
      APPTAINERENV_LEVEL: '3',
    });
    expect(job.request.env).not.toHaveProperty('APPTAINERENV_HOME');
    expect(job.exec.join(' ')).toContain('--no-mount home,cwd,hostfs --home /opt/home');
    expect(job.exec).toContain('/dev/null:/.singularity.d/env/10-docker2singularity.sh');
  });

  it('creates a working directory that the image lacks', () => {
    const inside = { hasWorkingDirectory: false, home: null };
    const job = acceptedJob(planJob(request({ facts: { ...facts, oci, inside } })));
    expect(job.exec.join(' ')).toContain('--bind /tmp/run/workdir:/opt/app:rw');
    expect(job.directories).toContain('/tmp/run/workdir');
  });

  it('turns off only the named parts of the isolation, for the named images', () => {
    const settings = someSettings({
      'apptainer.isolationExceptions': [
        { image: 'example/*', off: ['umask'] },
        { image: 'other/*', off: ['files'] },
      ],
    });
    const job = acceptedJob(planJob(request({ settings })));
    expect(job.exec.slice(0, isolated.length - 1)).toEqual(isolated.filter((each) => each !== '--no-umask'));
  });

  it.each<[who: string, over: Partial<PlanRequest>]>([
    ['the task', { analysis: { ...request().analysis, gpu: true } }],
    ['the image', { facts: { ...facts, needsGpu: true } }],
    ['Girder', { girder: readGirderSlurmSettings({ 'worker_slurm.gpu': 'true' }).settings }],
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

  it('reports the origin of each resource', () => {
    const { resources } = planJob(request({}, ['Tiny', '--slurm_mem', '8G']));
    expect(resources).toEqual([
      { option: 'partition', value: 'batch', origin: { from: 'profile', setting: 'slurm.partition' } },
      { option: 'mem', value: '8G', origin: { from: 'user' } },
    ]);
  });

  it('reports all reasons to refuse, together with the planned job', () => {
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
