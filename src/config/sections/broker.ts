import * as z from 'zod';

import { settingInfo } from '../setting-info.js';
import * as type from '../types.js';

/** Settings `broker.*`. */
export const broker = z.strictObject({
  url: type.brokerUrl().register(settingInfo, {
    description: 'RabbitMQ server that Girder publishes tasks to.',
    example: 'amqp://user:password@rabbitmq/',
    default: 'amqp://guest:guest@localhost/',
    legacyEnv: ['GIRDER_WORKER_BROKER', 'CELERY_BROKER_URL'],
    secret: true,
  }),
  caFile: type.path().nullable().register(settingInfo, {
    description:
      'CA certificate (PEM) for `amqps://`, if RabbitMQ’s certificate is not signed by a public CA.',
    example: '/etc/ssl/certs/hospital-ca.pem',
    default: null,
    path: true,
  }),
  certFile: type.path().nullable().register(settingInfo, {
    description:
      'Client certificate (PEM) with which this worker authenticates to RabbitMQ. Requires `broker.keyFile`.',
    example: '/etc/dsa-slurm/client.pem',
    default: null,
    path: true,
  }),
  keyFile: type.path().nullable().register(settingInfo, {
    description: 'Private key (PEM) of `broker.certFile`. Only this user may be able to read it.',
    example: '/etc/dsa-slurm/client.key',
    default: null,
    path: true,
  }),
  backend: type.resultBackend().register(settingInfo, {
    advanced: true,
    description:
      'Celery result backend. Only `rpc://` is supported: results are sent through the broker. `amqp://`, `redis://` and others are rejected.',
    example: 'rpc://',
    default: 'rpc://',
    legacyEnv: ['GIRDER_WORKER_BACKEND', 'CELERY_RESULT_BACKEND'],
    secret: true,
  }),
  queues: type
    .listOf(
      type
        .text()
        .refine(
          (queue) => queue !== 'local',
          'must not contain "local": that queue is for Girder’s own worker',
        ),
    )
    .min(1, 'must name at least one queue')
    .register(settingInfo, {
      description: 'Queues to consume tasks from. `local` is rejected: it is for Girder’s own worker.',
      example: 'celery',
      default: ['celery'],
    }),
  forwardQueue: type
    .text()
    .refine((queue) => queue !== 'local', 'must not be "local": that queue is for Girder’s own worker')
    .nullable()
    .register(settingInfo, {
      description:
        'Queue to which tasks this worker cannot run are forwarded unchanged, for example for a Python girder_worker. If RabbitMQ does not accept a task there, it stays in its original queue. If not set, such tasks fail with a reason.',
      example: 'python',
      default: null,
    }),
});
