import * as z from 'zod';

import { settingInfo } from '../setting-info.js';
import * as type from '../types.js';

/** Settings `metrics.*`. */
export const metrics = z.strictObject({
  listen: type.localListen().nullable().register(settingInfo, {
    description:
      'Unix socket or port of this host at which the worker serves metrics for Prometheus, at `/metrics`. If not set, it serves none. See docs/metrics.md.',
    example: '127.0.0.1:9464',
    default: null,
  }),
});

/** Settings `notices.*`. */
export const notices = z.strictObject({
  command: type.listOf(type.text()).register(settingInfo, {
    description:
      'Program and its arguments that the worker runs for each notice, without a shell; the notice is JSON on its standard input. Arguments are visible to other users of the host: keep secrets in a file that the program reads. See docs/notices.md.',
    example: '["/usr/local/bin/dsa-notice","--to=hpc"]',
    default: [],
  }),
  webhook: type.webhookUrl().nullable().register(settingInfo, {
    description: 'Address that each notice is sent to (POST, JSON). See docs/notices.md.',
    example: 'https://chat.example.org/hooks/3f9c',
    default: null,
    secret: true,
  }),
  on: type.listOf(type.oneOf(['batch', 'failure', 'site'])).register(settingInfo, {
    description:
      'What notices are sent about: `batch`, a batch has ended; `failure`, runs have failed; `site`, RabbitMQ, Slurm or the worker has a problem, and when that is over.',
    example: 'batch,site',
    default: ['batch', 'failure', 'site'],
  }),
  intervalSeconds: type.seconds(10, 86_400).register(settingInfo, {
    advanced: true,
    description:
      'Minimum interval between two notices about the same thing; what happens meanwhile is in the next one.',
    example: '3600',
    default: 300,
  }),
});

/** Settings `log.*`. */
export const log = z.strictObject({
  level: type.oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).register(settingInfo, {
    description: 'Minimum level of log messages.',
    example: 'debug',
    default: 'info',
  }),
  file: type.path().nullable().register(settingInfo, {
    description:
      'File for the worker’s log. If not set, `worker` logs to standard error, and under systemd to the journal.',
    example: '/var/log/dsa-slurm.log',
    default: null,
    path: true,
  }),
  maxMegabytes: type.integer(1, 100_000).register(settingInfo, {
    advanced: true,
    description: 'Size at which a new log file is begun, in megabytes.',
    example: '100',
    default: 20,
  }),
  keepFiles: type.integer(1, 100).register(settingInfo, {
    advanced: true,
    description: 'Number of old log files that are kept, as `<file>.1`, `<file>.2` and so on.',
    example: '10',
    default: 5,
  }),
});
