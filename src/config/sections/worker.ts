import { hostname } from 'node:os';

import * as z from 'zod';

import { settingInfo } from '../setting-info.js';
import * as type from '../types.js';

/** Settings `worker.*`. */
export const worker = z.strictObject({
  executor: type.oneOf(['slurm', 'local']).register(settingInfo, {
    description:
      'Where jobs run: `slurm`, or `local` for this host, like girder_worker without Slurm. With `local`, only `slurm.submitScript` of the Slurm settings is used.',
    example: 'local',
    default: 'slurm',
  }),
  localJobs: type.integer(1, 1_000).register(settingInfo, {
    description: 'Maximum number of concurrent jobs with the executor `local`.',
    example: '4',
    default: 2,
  }),
  name: z
    .string('must be a string')
    .regex(/^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$/u, 'must look like celery@host')
    .register(settingInfo, {
      description: 'Celery node name. Must be unique among the workers of a broker.',
      example: 'celery@login1',
      derived: { text: '`celery@<host name>`', from: () => `celery@${hostname()}` },
    }),
  heartbeats: type.boolean().register(settingInfo, {
    advanced: true,
    description:
      'Send Celery’s worker events (online, heartbeat every two seconds, offline), for Flower and similar tools. `false` corresponds to Celery’s `--without-heartbeat`.',
    example: 'false',
    default: true,
  }),
  taskEvents: type.boolean().register(settingInfo, {
    advanced: true,
    description:
      'Send Celery’s task events from the start, like Celery’s `-E`. Flower can also turn them on later.',
    example: 'true',
    default: false,
  }),
  remoteShutdown: type.boolean().register(settingInfo, {
    advanced: true,
    description:
      'Let Celery’s remote control (`celery control shutdown`) stop this worker. Anyone with access to RabbitMQ can then stop it.',
    example: 'true',
    default: false,
  }),
  leaseSeconds: type.integer(3, 600).register(settingInfo, {
    advanced: true,
    description:
      'Lifetime of the worker’s lock on the state directory; it is renewed five times within it. A standby worker takes over once the lock has not been renewed for a third longer.',
    example: '30',
    default: 15,
  }),
  inFlight: type.integer(1, 1_000_000).register(settingInfo, {
    description: 'Maximum number of unfinished runs. The worker accepts no further tasks until one finishes.',
    example: '200',
    default: 1_000,
  }),
  staging: type.integer(1, 256).register(settingInfo, {
    advanced: true,
    description: 'Maximum number of runs that download inputs concurrently.',
    example: '4',
    default: 8,
  }),
  commandsAtOnce: type.integer(1, 256).register(settingInfo, {
    advanced: true,
    description:
      'Maximum number of concurrent commands (sbatch, squeue, apptainer, …); further ones wait. Jobs of the executor `local` do not count.',
    example: '4',
    default: 8,
  }),
  retryHours: type.integer(0, 168).register(settingInfo, {
    description:
      'How many hours the message of a failed or canceled run is kept, so that it can be retried. It contains Girder tokens, which are valid for 7 days; only this user can read it. 0 keeps none.',
    example: '24',
    default: 72,
  }),
  retryMegabytes: type.integer(0, 100_000).register(settingInfo, {
    advanced: true,
    description: 'Maximum total size of these messages, in megabytes; the oldest are removed first.',
    example: '16',
    default: 64,
  }),
  keepFiles: type.boolean().register(settingInfo, {
    description: 'Keep the temporary files of failed runs.',
    example: 'true',
    default: false,
  }),
});
