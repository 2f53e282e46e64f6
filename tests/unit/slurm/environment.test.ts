import { expect, it } from 'vitest';
import { slurmEnvironment } from '../../../src/slurm/environment.js';

it("drops secrets and the defaults of Slurm's commands, keeps the rest", () => {
  expect(
    slurmEnvironment({
      PATH: '/bin',
      HOME: '/home/dsa',
      SLURM_CONF: '/etc/slurm.conf',
      SLURM_JWT: 'kept',
      SLURM_JOB_ID: '1',
      SLURM_TIME_FORMAT: 'relative',
      SQUEUE_FORMAT: '%i',
      SQUEUE_FORMAT2: 'JobID',
      SBATCH_PARTITION: 'x',
      SBATCH_EXPORT: 'NONE',
      SACCT_FORMAT: 'JobID',
      SINFO_FORMAT: '%P',
      SCANCEL_STATE: 'PENDING',
      GIRDER_WORKER_BROKER: 'amqp://dsa:hush@mq/',
      GIRDER_WORKER_BACKEND: 'rpc://dsa:hush@mq/',
      CELERY_BROKER_URL: 'x',
      CELERY_RESULT_BACKEND: 'x',
      RABBITMQ_PASS: 'x',
      MY_API_KEY: 'x',
      GITHUB_TOKEN: 'x',
      DSA_MONGO: 'mongodb://dsa:hush@db/girder',
      http_proxy: 'http://proxy:3128',
      NOTHING: undefined,
    }),
  ).toEqual({
    PATH: '/bin',
    HOME: '/home/dsa',
    SLURM_CONF: '/etc/slurm.conf',
    SLURM_JWT: 'kept',
    http_proxy: 'http://proxy:3128',
    SLURM_TIME_FORMAT: 'standard',
  });
});
