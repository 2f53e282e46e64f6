import { expect, it } from 'vitest';
import { slurmEnvironment } from '../../../src/slurm/environment.js';

const kept = {
  PATH: '/bin',
  HOME: '/home/dsa',
  USER: 'dsa',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  SLURM_CONF: '/etc/slurm.conf',
  SLURM_JWT: 'kept',
  APPTAINER_TMPDIR: '/scratch',
  APPTAINERENV_LICENSE: 'server',
  SINGULARITY_CACHEDIR: '/cache',
};

it('keeps what Slurm and the container runtime need, and no secrets', () => {
  const dropped = {
    // what Slurm's commands take as defaults
    SLURM_JOB_ID: '1',
    SLURM_TIME_FORMAT: 'relative',
    SQUEUE_FORMAT: '%i',
    SBATCH_PARTITION: 'x',
    // names that no pattern of secrets would have found
    AWS_ACCESS_KEY_ID: 'x',
    HTTPS_PROXY: 'http://token@proxy',
    SSH_AUTH_SOCK: '/tmp/agent',
    SLACK_WEBHOOK: 'x',
    MONGODB_PW: 'x',
    AUTH_HEADER: 'x',
    DSA_SLURM_BROKER_URL: 'amqp://dsa:hush@mq/',
    GIRDER_WORKER_BROKER: 'amqp://dsa:hush@mq/',
    APPTAINER_DOCKER_PASSWORD: 'x',
    SINGULARITY_DOCKER_USERNAME: 'x',
    // what would change how programs run
    BASH_ENV: '/home/dsa/profile',
    LD_LIBRARY_PATH: '/opt/lib',
    PYTHONPATH: '/opt/python',
    PYTHONHOME: '/nowhere',
    TMPDIR: '/scratch/job7',
    NOTHING: undefined,
  };
  expect(slurmEnvironment({ ...kept, ...dropped })).toEqual({ ...kept, SLURM_TIME_FORMAT: 'standard' });
});

it('adds the variables that the operator names', () => {
  const env = { MODULEPATH: '/modules', LMOD_CMD: '/lmod', LMOD_DIR: '/lmod', MODULES: 'other' };
  expect(slurmEnvironment(env, ['MODULEPATH', 'LMOD_*'])).toEqual({
    MODULEPATH: '/modules',
    LMOD_CMD: '/lmod',
    LMOD_DIR: '/lmod',
    SLURM_TIME_FORMAT: 'standard',
  });
});
