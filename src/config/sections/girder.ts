import * as z from 'zod';

import { settingInfo } from '../setting-info.js';
import * as type from '../types.js';

/** Settings `girder.*`. */
export const girder = z.strictObject({
  apiUrl: type
    .httpUrl()
    .nullable()
    .register(settingInfo, {
      description: 'Address of Girder’s API as seen from this machine. Overrides the address in messages.',
      example: 'http://girder:8080/api/v1',
      default: null,
      legacyEnv: ['GIRDER_WORKER_API_URL'],
    }),
  apiUrlMap: z.record(type.httpUrl(), type.httpUrl(), 'must be a table of addresses').register(settingInfo, {
    description: 'Prefixes of addresses in messages, and their replacements.',
    example: 'http://localhost:8080=http://girder:8080',
    default: {},
  }),
  caFile: type
    .path()
    .nullable()
    .register(settingInfo, {
      description: 'CA certificate (PEM), if Girder’s certificate is not signed by a public CA.',
      example: '/etc/ssl/certs/hospital-ca.pem',
      default: null,
      legacyEnv: ['REQUESTS_CA_BUNDLE'],
      path: true,
    }),
  apiKey: type.apiKey().nullable().register(settingInfo, {
    description:
      'API key of a Girder administrator. With it and `girder.apiUrl`, the worker reads Girder’s settings `worker_slurm.*`, which override those of `slurm` here, and `doctor` and `init` read and change Girder’s settings.',
    example: 'q6VqNnJqD1PzLrVbT0aXcYgEwS3mKuHf8iOt5jR2',
    default: null,
    secret: true,
  }),
  directPaths: type.boolean().register(settingInfo, {
    description:
      'Read inputs directly from Girder’s path if it is readable here, instead of downloading them. In `GW_DIRECT_PATHS`, any text means true.',
    example: 'true',
    default: false,
    legacyEnv: ['GW_DIRECT_PATHS'],
  }),
  runningMeans: type.oneOf(['accepted', 'started']).register(settingInfo, {
    description:
      'When a Girder job becomes RUNNING: `accepted` is when its task is received, as Girder’s batch scheduler expects; `started` is when Slurm starts it, and until then it is QUEUED.',
    example: 'started',
    default: 'accepted',
  }),
  cancelDeleted: type.boolean().register(settingInfo, {
    description:
      'Cancel a run if its Girder job is deleted. If `false`, the run continues and its outputs are uploaded.',
    example: 'false',
    default: true,
  }),
  giveUpHours: type.integer(1, 10_000).register(settingInfo, {
    advanced: true,
    description:
      'How many hours a run waits for Girder to accept its inputs, outputs and status while Girder returns server errors, or something else (such as a proxy’s web page) answers at its address. After that the run ends without Girder.',
    example: '48',
    default: 24,
  }),
  reportSeconds: type.seconds(0.1, 3_600).register(settingInfo, {
    advanced: true,
    description: 'Interval at which the log and progress of a run are sent to Girder.',
    example: '2',
    default: 2,
  }),
});

/** Settings `mongo.*`. */
export const mongo = z.strictObject({
  uri: type.mongoUri().nullable().register(settingInfo, {
    description: 'Girder’s database. Used by `doctor` only, not by the worker.',
    example: 'mongodb://localhost:27017/girder',
    default: null,
    secret: true,
  }),
});
