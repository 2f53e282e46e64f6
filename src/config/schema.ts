import { hostname } from 'node:os';
import * as z from 'zod';
import { stateDirectory, temporaryDirectory, type DefaultContext } from './paths.js';
import { reservedOptions } from './reserved-options.js';
import * as type from './types.js';

/** A setting, apart from its type. */
export interface SettingInfo {
  description: string;
  /** A value as written on a command line. */
  example: string;
  /** Either a fixed default … */
  default?: z.$output;
  /** … or how to compute it, and its description in the documentation. */
  derived?: { text: string; from: (context: DefaultContext) => string };
  /** Environment variables of the Python worker's run.sh and of Celery, in order; DSA_SLURM_… takes precedence over them. */
  legacyEnv?: readonly string[];
  /** Contains a password: masked wherever it is printed. */
  secret?: true;
  /** For a default that is passed to sbatch: the option's long name. */
  sbatchOption?: string;
  /** A path: relative ones from flags and the environment are resolved against the current directory. */
  path?: true;
  /** Rarely changed: at the end of the documentation. */
  advanced?: true;
}

/** {@link SettingInfo} by setting; `z.toJSONSchema` reads descriptions and defaults from it. */
export const settingInfo = z.registry<SettingInfo>();

/**
 * `--slurm_*` options that Girder users may set by default: the resources of a job, and where and on which account it runs.
 * Slurm's own limits on partition, account and QOS still apply. Options that read or write files (`output`, `chdir`,
 * `export`), choose the user (`uid`) or replace the batch script (`wrap`) are in `reservedOptions`.
 */
const defaultUserOptions = [
  'time',
  'mem',
  'mem-per-cpu',
  'cpus-per-task',
  'ntasks',
  'nodes',
  'gres',
  'gpus',
  'partition',
  'constraint',
  'qos',
  'account',
];

const userOption = () =>
  z
    .string('must contain strings only')
    .regex(
      /^[a-z][a-z-]*[a-z]$/,
      'must contain long option names of sbatch without leading dashes, such as "mem"',
    )
    .refine((name) => !reservedOptions.has(name), 'contains an option that Girder users can never set');

/** Conditions on a run (`image`, `cli`, `gpu`) and the sbatch options it then gets. */
const rule = () =>
  z.strictObject(
    {
      image: type.text().optional(),
      cli: type.text().optional(),
      gpu: type.boolean().optional(),
      partition: type.text().optional(),
      account: type.text().optional(),
      qos: type.text().optional(),
      time: type.text().optional(),
      mem: type.text().optional(),
      cpus: type.integer(1, 65_536).optional(),
      ntasks: type.integer(1, 65_536).optional(),
      gres: type.text().optional(),
      constraint: type.text().optional(),
      reservation: type.text().optional(),
    },
    'must contain rules such as {"image": "example/*", "partition": "gpu"} without other keys',
  );

/** Documented in src/apptainer/isolation.ts. */
const isolationPart = () => type.oneOf(['files', 'environment', 'processes', 'variables', 'umask', 'layer']);

const isolationException = () =>
  z.strictObject(
    {
      image: type.text().optional(),
      off: type.listOf(isolationPart()).min(1, 'must name at least one part'),
    },
    'must contain exceptions such as {"image": "example/*", "off": ["umask"]} without other keys',
  );

const siteDefault = (sbatchOption: string, description: string, example: string) => ({
  sbatchOption,
  description: `${description} If not set, Slurm or the submit script decides.`,
  example,
  default: null,
});

/**
 * Every setting. Types, environment names, `dsa-slurm config`, docs/configuration.md and docs/config.schema.json are
 * derived from it.
 */
export const settingsSchema = z.strictObject({
  broker: z.strictObject({
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
  }),
  dirs: z.strictObject({
    tmp: type.path().register(settingInfo, {
      description: 'Directory for inputs and temporary volumes. Must be shared with the compute nodes.',
      example: '/shared/tmp',
      derived: { text: 'the system’s temporary directory', from: temporaryDirectory },
      legacyEnv: ['TMP'],
      path: true,
    }),
    logs: type
      .path()
      .nullable()
      .register(settingInfo, {
        description: 'Directory for the logs of jobs. Must be shared with the compute nodes.',
        example: '/shared/logs',
        default: null,
        legacyEnv: ['LOGS', 'GIRDER_WORKER_SINGULARITY_LOGS_DIR'],
        path: true,
      }),
    images: type
      .path()
      .nullable()
      .register(settingInfo, {
        description: 'Directory of the SIF files of images. Must be shared with the compute nodes.',
        example: '/shared/images',
        default: null,
        legacyEnv: ['SIF_IMAGE_PATH'],
        path: true,
      }),
    state: type.path().register(settingInfo, {
      description:
        'Directory for the worker’s journal and other state. Belongs to one worker at a time; share it between login nodes only for standby workers.',
      example: '/var/lib/dsa-slurm',
      derived: {
        text: '`$XDG_STATE_HOME/dsa-slurm/<profile>` or `~/.local/state/dsa-slurm/<profile>`',
        from: stateDirectory,
      },
      path: true,
    }),
  }),
  slurm: z.strictObject({
    submitScript: type
      .path()
      .nullable()
      .register(settingInfo, {
        description: 'Batch script of every job. If not set, `templates/singularity.slurm` of this package.',
        example: '/shared/singularity.slurm',
        default: null,
        legacyEnv: ['GIRDER_WORKER_SLURM_SUBMIT_SCRIPT'],
        path: true,
      }),
    mountPrefix: type
      .path()
      .nullable()
      .register(settingInfo, {
        description:
          'Prefix for paths in Girder’s assetstore, if the compute nodes mount it under another path.',
        example: '/mnt/girder',
        default: null,
        legacyEnv: ['GIRDER_WORKER_SLURM_MOUNT_PREFIX'],
        path: true,
      }),
    partition: type
      .text()
      .nullable()
      .register(settingInfo, {
        ...siteDefault('partition', 'Partition of jobs.', 'batch'),
        legacyEnv: ['GIRDER_WORKER_SLURM_PARTITION'],
      }),
    account: type
      .text()
      .nullable()
      .register(settingInfo, siteDefault('account', 'Account that jobs are charged to.', 'pathology')),
    qos: type
      .text()
      .nullable()
      .register(settingInfo, siteDefault('qos', 'QOS of jobs.', 'normal')),
    time: type
      .text()
      .nullable()
      .register(settingInfo, siteDefault('time', 'Time limit of jobs.', '04:00:00')),
    mem: type
      .text()
      .nullable()
      .register(settingInfo, siteDefault('mem', 'Memory per node.', '16G')),
    cpus: type
      .integer(1, 65_536)
      .nullable()
      .register(settingInfo, siteDefault('cpus-per-task', 'CPUs per task.', '4')),
    gres: type
      .text()
      .nullable()
      .register(settingInfo, siteDefault('gres', 'Generic resources of every job.', 'scratch:10G')),
    constraint: type
      .text()
      .nullable()
      .register(settingInfo, siteDefault('constraint', 'Node features that jobs need.', 'avx2')),
    gpuPartition: type.text().nullable().register(settingInfo, {
      description: 'Partition of jobs whose image needs a GPU. If not set, the same as for other jobs.',
      example: 'gpu',
      default: null,
    }),
    gpuGres: type.text().register(settingInfo, {
      description: 'Generic resources of jobs whose image needs a GPU.',
      example: 'gpu:a100:1',
      default: 'gpu:1',
    }),
    rules: type.listOf(rule()).register(settingInfo, {
      description:
        'Resources for certain runs; the first rule that matches applies. `image` and `cli` are patterns with `*` and `?`; `gpu` is whether the run uses a GPU. A rule overrides Girder’s settings, and those override the settings above; `dsa-slurm config explain` shows the result.',
      example: '[{"image":"example/*","gpu":true,"partition":"gpu","gres":"gpu:a100:1"}]',
      default: [],
    }),
    userOptions: type.listOf(userOption()).register(settingInfo, {
      description: `\`--slurm_*\` options that Girder users may set. Never allowed: ${[...reservedOptions.keys()].join(', ')}.`,
      example: 'time,mem',
      default: defaultUserOptions,
    }),
    pollSeconds: type.seconds(1, 3_600).register(settingInfo, {
      advanced: true,
      description: 'Interval between queries to Slurm. One query covers all jobs.',
      example: '10',
      default: 10,
    }),
    lateFilesSeconds: type.seconds(0, 3_600).register(settingInfo, {
      advanced: true,
      description:
        'How long to wait, after a job ends, for its log and outputs to become visible on this host (NFS attribute caching).',
      example: '120',
      default: 90,
    }),
    environment: type
      .listOf(
        type
          .text()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*\*?$/, 'must contain names of variables, optionally ending in *'),
      )
      .register(settingInfo, {
        description:
          'Additional variables of the worker’s environment that are passed to Slurm commands and batch scripts, such as `MODULEPATH`; a trailing `*` matches any suffix. Containers do not see them.',
        example: 'MODULEPATH,LMOD_*',
        default: [],
      }),
    cancelSeconds: type.seconds(0, 3_600).register(settingInfo, {
      description:
        'Grace period of a canceled analysis between SIGTERM and the cancellation of its job. An analysis also gets SIGTERM this long before its time limit, if it has run at least six times as long by then; Slurm may send it up to a minute earlier. 0 disables both, for site batch scripts that do not handle the signal.',
      example: '30',
      default: 10,
    }),
    othersJobs: type.boolean().register(settingInfo, {
      description:
        'Let the operator act on jobs of other Slurm users, as far as Slurm permits. Default: only jobs of the worker’s own user.',
      example: 'true',
      default: false,
    }),
    commandTimeoutSeconds: type.seconds(1, 3_600).register(settingInfo, {
      advanced: true,
      description: 'Timeout of Slurm commands.',
      example: '60',
      default: 60,
    }),
  }),
  apptainer: z.strictObject({
    command: type.text().register(settingInfo, {
      description: 'Container runtime, by name or path. `singularity` works as well.',
      example: 'singularity',
      default: 'apptainer',
    }),
    options: type.listOf(type.text()).register(settingInfo, {
      description: 'Additional options for `apptainer exec`.',
      example: '["--bind=/scratch,/data"]',
      default: [],
    }),
    isolationExceptions: type.listOf(isolationException()).register(settingInfo, {
      description:
        'Parts of container isolation to turn off, for images that match a pattern with `*` and `?`, or for all images without `image`: `files` (home, /tmp, working directory and mounts of the host), `environment` (variables of the job), `processes`, `variables` (a shell evaluates values), `umask`, `layer` (writable image). See docs/security.md.',
      example: '[{"image":"example/odd:*","off":["umask"]}]',
      default: [],
    }),
    scratch: type.path().nullable().register(settingInfo, {
      description:
        'Directory on the local disk of compute nodes for what containers write to /tmp and next to their program; removed when the job ends. If not set, `$TMPDIR` of the job, or else /tmp of the node.',
      example: '/scratch',
      default: null,
    }),
    pullOn: type.oneOf(['host', 'slurm']).register(settingInfo, {
      advanced: true,
      description:
        'Where images are pulled and queried for their CLIs when an administrator adds them in Girder 5: on this host, or in a Slurm job (`srun`).',
      example: 'slurm',
      default: 'host',
    }),
    pullMinutes: type.integer(1, 1_440).register(settingInfo, {
      advanced: true,
      description: 'Timeout for pulling one image.',
      example: '120',
      default: 60,
    }),
    workingDirectory: type.path().nullable().register(settingInfo, {
      description: 'Working directory in containers whose image does not define one.',
      example: '/opt/app',
      default: null,
    }),
    entrypoint: type.text().nullable().register(settingInfo, {
      description: 'Program to run in containers whose image does not define an entry point.',
      example: './docker-entrypoint.sh',
      default: null,
    }),
  }),
  girder: z.strictObject({
    apiUrl: type
      .httpUrl()
      .nullable()
      .register(settingInfo, {
        description: 'Address of Girder’s API as seen from this machine. Overrides the address in messages.',
        example: 'http://girder:8080/api/v1',
        default: null,
        legacyEnv: ['GIRDER_WORKER_API_URL'],
      }),
    apiUrlMap: z
      .record(type.httpUrl(), type.httpUrl(), 'must be a table of addresses')
      .register(settingInfo, {
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
  }),
  mongo: z.strictObject({
    uri: type.mongoUri().nullable().register(settingInfo, {
      description: 'Girder’s database. Used by `doctor` only, not by the worker.',
      example: 'mongodb://localhost:27017/girder',
      default: null,
      secret: true,
    }),
  }),
  worker: z.strictObject({
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
      description:
        'Maximum number of unfinished runs. The worker accepts no further tasks until one finishes.',
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
  }),
  metrics: z.strictObject({
    listen: type.localListen().nullable().register(settingInfo, {
      description:
        'Unix socket or port of this host at which the worker serves metrics for Prometheus, at `/metrics`. If not set, it serves none. See docs/metrics.md.',
      example: '127.0.0.1:9464',
      default: null,
    }),
  }),
  notices: z.strictObject({
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
  }),
  log: z.strictObject({
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
  }),
});

/** All settings, validated and complete: `settings.slurm.partition`. */
export type Settings = z.output<typeof settingsSchema>;
