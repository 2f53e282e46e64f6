import { hostname } from 'node:os';
import * as z from 'zod';
import { stateDirectory, temporaryDirectory, type DefaultContext } from './paths.js';
import { reservedOptions } from './reserved-options.js';
import * as type from './types.js';

/** What is known of a setting besides its type. */
export interface SettingInfo {
  description: string;
  /** A value as one would write it on a command line. */
  example: string;
  /** The value when nobody sets it … */
  default?: z.$output;
  /** … or how it is found, and what the documentation says of that. */
  derived?: { text: string; from: (context: DefaultContext) => string };
  /** Environment names of the Python worker's run.sh and of Celery, in order; our own name comes before them. */
  legacyEnv?: readonly string[];
  /** Holds a password: shown masked. */
  secret?: true;
  /** A default of the site that is passed to sbatch: the long name of its option. */
  sbatchOption?: string;
  /** A path: relative ones from flags and environment are resolved against the current directory. */
  path?: true;
}

/** {@link SettingInfo} by setting: what `z.toJSONSchema` takes its descriptions and defaults from. */
export const settingInfo = z.registry<SettingInfo>();

/**
 * `--slurm_*` options that a Girder user may set: what a job needs, and where and on whose account it runs, as the
 * Python worker's users know them. Slurm's own limits on partition, account and QOS stay in force. Everything else is
 * out, above all what reads or writes files (`output`, `chdir`, `export`), says who runs (`uid`), or replaces the
 * batch script (`wrap`).
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
    .string('must hold texts')
    .regex(
      /^[a-z][a-z-]*[a-z]$/,
      'must hold long option names of sbatch without dashes before them, such as "mem"',
    )
    .refine((name) => !reservedOptions.has(name), 'holds an option that Girder users can never set');

/** Which runs a rule is for, and what they get; what it does not name stays as it was. */
const rule = () =>
  z.strictObject(
    {
      image: type.text().optional(),
      cli: type.text().optional(),
      gpu: type.yesOrNo().optional(),
      partition: type.text().optional(),
      account: type.text().optional(),
      qos: type.text().optional(),
      time: type.text().optional(),
      mem: type.text().optional(),
      cpus: type.wholeNumber(1, 65_536).optional(),
      ntasks: type.wholeNumber(1, 65_536).optional(),
      gres: type.text().optional(),
      constraint: type.text().optional(),
      reservation: type.text().optional(),
    },
    'must hold rules such as {"image": "example/*", "partition": "gpu"}, without other names in them',
  );

/** The parts of src/apptainer/isolation.ts, which says what each is. */
const isolationPart = () => type.oneOf(['files', 'environment', 'processes', 'variables', 'umask', 'layer']);

const isolationException = () =>
  z.strictObject(
    {
      image: type.text().optional(),
      off: type.listOf(isolationPart()).min(1, 'must name at least one part'),
    },
    'must hold exceptions such as {"image": "example/*", "off": ["umask"]}, without other names in them',
  );

const siteDefault = (sbatchOption: string, description: string, example: string) => ({
  sbatchOption,
  description: `${description} Not set: Slurm or the submit script decides.`,
  example,
  default: null,
});

/**
 * Every setting, once. Types, environment names, `dsa-slurm config`, docs/configuration.md and
 * docs/config.schema.json are made from this.
 */
export const settingsSchema = z.strictObject({
  broker: z.strictObject({
    url: type.brokerUrl().register(settingInfo, {
      description: 'The RabbitMQ that Girder publishes to.',
      example: 'amqp://user:password@rabbitmq/',
      default: 'amqp://guest:guest@localhost/',
      legacyEnv: ['GIRDER_WORKER_BROKER', 'CELERY_BROKER_URL'],
      secret: true,
    }),
    caFile: type.path().nullable().register(settingInfo, {
      description:
        'Certificate (PEM) of the authority that signed RabbitMQ’s certificate, if it is not a public one. For `amqps://`.',
      example: '/etc/ssl/certs/hospital-ca.pem',
      default: null,
      path: true,
    }),
    certFile: type.path().nullable().register(settingInfo, {
      description: 'Certificate with which this worker logs in to RabbitMQ, in PEM. Needs `broker.keyFile`.',
      example: '/etc/dsa-slurm/client.pem',
      default: null,
      path: true,
    }),
    keyFile: type.path().nullable().register(settingInfo, {
      description: 'Private key of `broker.certFile`, in PEM, readable by this user only.',
      example: '/etc/dsa-slurm/client.key',
      default: null,
      path: true,
    }),
    backend: type.resultBackend().register(settingInfo, {
      description:
        'Celery result backend. Only `rpc://` is supported: results go back through the broker. `amqp://`, `redis://` and others are refused.',
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
            'must not hold "local": that queue is for Girder’s own worker',
          ),
      )
      .min(1, 'must name at least one queue')
      .register(settingInfo, {
        description: 'Queues to take tasks from. `local` is refused: it is for Girder’s own worker.',
        example: 'celery',
        default: ['celery'],
      }),
    forwardQueue: type
      .text()
      .refine((queue) => queue !== 'local', 'must not be "local": that queue is for Girder’s own worker')
      .nullable()
      .register(settingInfo, {
        description:
          'Queue that tasks are handed on to which this worker cannot run, unchanged and before anything is done with them, for a Python worker that listens there. A task that RabbitMQ does not take there stays in its queue. Not set: such tasks fail with a reason.',
        example: 'python',
        default: null,
      }),
  }),
  dirs: z.strictObject({
    tmp: type.path().register(settingInfo, {
      description: 'Where inputs and temporary volumes are put. Must be shared with the compute nodes.',
      example: '/shared/tmp',
      derived: { text: 'the system’s temporary directory', from: temporaryDirectory },
      legacyEnv: ['TMP'],
      path: true,
    }),
    logs: type
      .path()
      .nullable()
      .register(settingInfo, {
        description: 'Where Slurm writes the logs of jobs. Must be shared with the compute nodes.',
        example: '/shared/logs',
        default: null,
        legacyEnv: ['LOGS', 'GIRDER_WORKER_SINGULARITY_LOGS_DIR'],
        path: true,
      }),
    images: type
      .path()
      .nullable()
      .register(settingInfo, {
        description: 'Where the SIF files of images are. Must be shared with the compute nodes.',
        example: '/shared/images',
        default: null,
        legacyEnv: ['SIF_IMAGE_PATH'],
        path: true,
      }),
    state: type.path().register(settingInfo, {
      description: 'Where the worker keeps its journal. Not shared: one worker owns it.',
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
        description: 'The batch script. Not set: `templates/singularity.slurm` of this package.',
        example: '/shared/singularity.slurm',
        default: null,
        legacyEnv: ['GIRDER_WORKER_SLURM_SUBMIT_SCRIPT'],
        path: true,
      }),
    mountPrefix: type
      .path()
      .nullable()
      .register(settingInfo, {
        description: 'Put before paths in Girder’s assetstore, where the compute nodes mount it elsewhere.',
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
      .register(settingInfo, siteDefault('qos', 'Quality of service of jobs.', 'normal')),
    time: type
      .text()
      .nullable()
      .register(settingInfo, siteDefault('time', 'Time limit of jobs.', '04:00:00')),
    mem: type
      .text()
      .nullable()
      .register(settingInfo, siteDefault('mem', 'Memory per node.', '16G')),
    cpus: type
      .wholeNumber(1, 65_536)
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
      description: 'Partition of jobs whose image needs a GPU. Not set: the same as for other jobs.',
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
        'What certain runs get; the first rule that fits counts. `image` and `cli` are patterns with `*` and `?`, `gpu` is whether the run has one. A rule overrides Girder’s settings, and those override the settings above; `dsa-slurm config explain` shows what comes of it.',
      example: '[{"image":"example/*","gpu":true,"partition":"gpu","gres":"gpu:a100:1"}]',
      default: [],
    }),
    userOptions: type.listOf(userOption()).register(settingInfo, {
      description: `The \`--slurm_*\` options that Girder users may set. Never among them: ${[...reservedOptions.keys()].join(', ')}.`,
      example: 'time,mem',
      default: defaultUserOptions,
    }),
    pollSeconds: type.seconds(1, 3_600).register(settingInfo, {
      description: 'How often Slurm is asked, with one question about all jobs.',
      example: '10',
      default: 10,
    }),
    lateFilesSeconds: type.seconds(0, 3_600).register(settingInfo, {
      description:
        'How long what a job has written may need to show on this host after its end: so long its log and its outputs are waited for, if they are not there.',
      example: '120',
      default: 90,
    }),
    environment: type
      .listOf(
        type
          .text()
          .regex(
            /^[A-Za-z_][A-Za-z0-9_]*\*?$/,
            'must hold names of variables, with a * at their end at most',
          ),
      )
      .register(settingInfo, {
        description:
          'Variables of the worker’s environment that commands of Slurm and batch scripts get besides the usual ones, such as `MODULEPATH`; a `*` at the end stands for any ending. Containers do not see them.',
        example: 'MODULEPATH,LMOD_*',
        default: [],
      }),
    cancelSeconds: type.seconds(0, 3_600).register(settingInfo, {
      description:
        'How long a canceled analysis may take to end after SIGTERM, before its whole job is canceled; and how long before its time limit an analysis is asked to end in the same way, if it has run for six times as long by then. Slurm may ask up to a minute earlier. 0: neither, as with a batch script of the site.',
      example: '30',
      default: 10,
    }),
    othersJobs: type.yesOrNo().register(settingInfo, {
      description:
        'Let the operator act on jobs of other Slurm users too, as far as Slurm allows this user. Not so: only on this user’s own.',
      example: 'true',
      default: false,
    }),
    commandTimeoutSeconds: type.seconds(1, 3_600).register(settingInfo, {
      description: 'How long a command of Slurm may take to answer.',
      example: '60',
      default: 60,
    }),
  }),
  apptainer: z.strictObject({
    command: type.text().register(settingInfo, {
      description: 'The container runtime, by name or path. `singularity` works too.',
      example: 'singularity',
      default: 'apptainer',
    }),
    options: type.listOf(type.text()).register(settingInfo, {
      description: 'Further options of `apptainer exec`.',
      example: '["--bind=/scratch,/data"]',
      default: [],
    }),
    isolationExceptions: type.listOf(isolationException()).register(settingInfo, {
      description:
        'Parts of the isolation of containers that are turned off, for images of a pattern with `*` and `?`, or for all without `image`: `files` (home, /tmp, working directory and mounts of the host), `environment` (variables of the job), `processes`, `variables` (a shell evaluates values), `umask`, `layer` (the image can be written to). See docs/security.md.',
      example: '[{"image":"example/odd:*","off":["umask"]}]',
      default: [],
    }),
    scratch: type.path().nullable().register(settingInfo, {
      description:
        'Directory on the disk of compute nodes for what containers write to /tmp and beside their program; removed when the job ends. Not set: `$TMPDIR` of the job, else /tmp of the node.',
      example: '/scratch',
      default: null,
    }),
    pullOn: type.oneOf(['host', 'slurm']).register(settingInfo, {
      description:
        'Where images are pulled and asked for their CLIs when an administrator adds them in Girder 5: on this host, or in a job of Slurm (`srun`).',
      example: 'slurm',
      default: 'host',
    }),
    pullMinutes: type.wholeNumber(1, 1_440).register(settingInfo, {
      description: 'How long the pull of one image may take.',
      example: '120',
      default: 60,
    }),
    workingDirectory: type.path().nullable().register(settingInfo, {
      description: 'Working directory inside containers whose image does not name one.',
      example: '/opt/app',
      default: null,
    }),
    entrypoint: type.text().nullable().register(settingInfo, {
      description: 'Program inside containers whose image does not name an entry point.',
      example: './docker-entrypoint.sh',
      default: null,
    }),
  }),
  girder: z.strictObject({
    apiUrl: type
      .httpUrl()
      .nullable()
      .register(settingInfo, {
        description: 'Girder’s API as this machine reaches it, in place of the address that messages carry.',
        example: 'http://girder:8080/api/v1',
        default: null,
        legacyEnv: ['GIRDER_WORKER_API_URL'],
      }),
    apiUrlMap: z
      .record(type.httpUrl(), type.httpUrl(), 'must be a table of addresses')
      .register(settingInfo, {
        description: 'Fronts of addresses that messages carry, and what to put in their place.',
        example: 'http://localhost:8080=http://girder:8080',
        default: {},
      }),
    caFile: type
      .path()
      .nullable()
      .register(settingInfo, {
        description:
          'Certificate (PEM) of the authority that signed Girder’s certificate, if it is not a public one.',
        example: '/etc/ssl/certs/hospital-ca.pem',
        default: null,
        legacyEnv: ['REQUESTS_CA_BUNDLE'],
        path: true,
      }),
    apiKey: type.apiKey().nullable().register(settingInfo, {
      description:
        'API key of a Girder administrator. With it and `girder.apiUrl` the worker reads Girder’s settings `worker_slurm.*`, which go over those of `slurm` here, and `doctor` and `init` read and set Girder’s settings.',
      example: 'q6VqNnJqD1PzLrVbT0aXcYgEwS3mKuHf8iOt5jR2',
      default: null,
      secret: true,
    }),
    directPaths: type.yesOrNo().register(settingInfo, {
      description:
        'Read inputs from Girder’s own path where it is readable here, instead of downloading. In `GW_DIRECT_PATHS` any text means true.',
      example: 'true',
      default: false,
      legacyEnv: ['GW_DIRECT_PATHS'],
    }),
    runningMeans: type.oneOf(['accepted', 'started']).register(settingInfo, {
      description:
        'When a Girder job becomes RUNNING: `accepted` is as soon as its task is taken up, as Girder’s batch scheduler expects; `started` is when Slurm starts it, and until then it is QUEUED.',
      example: 'started',
      default: 'accepted',
    }),
    cancelDeleted: type.yesOrNo().register(settingInfo, {
      description:
        'Cancel a run whose job somebody deletes in Girder while it goes on. `false` lets it run to its end, and its outputs are uploaded.',
      example: 'false',
      default: true,
    }),
    giveUpHours: type.wholeNumber(1, 10_000).register(settingInfo, {
      description:
        'How many hours a run waits for Girder, with its inputs, its outputs and its end, while something else answers at its address, such as a web page, or Girder fails on its own. The run then ends here all the same.',
      example: '48',
      default: 24,
    }),
    reportSeconds: type.seconds(0.1, 3_600).register(settingInfo, {
      description: 'How often the log and the progress of a run are sent to Girder.',
      example: '2',
      default: 2,
    }),
  }),
  mongo: z.strictObject({
    uri: type.mongoUri().nullable().register(settingInfo, {
      description: 'Girder’s database, for `doctor`. The worker has no use for it.',
      example: 'mongodb://localhost:27017/girder',
      default: null,
      secret: true,
    }),
  }),
  worker: z.strictObject({
    executor: type.oneOf(['slurm', 'local']).register(settingInfo, {
      description:
        'Who runs the jobs: `slurm`, or `local` for this host itself, as girder_worker does without Slurm. With `local` no setting of Slurm counts but its submit script.',
      example: 'local',
      default: 'slurm',
    }),
    localJobs: type.wholeNumber(1, 1_000).register(settingInfo, {
      description: 'With the executor `local`: jobs that run at one time.',
      example: '4',
      default: 2,
    }),
    name: z
      .string('must be text')
      .regex(/^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$/u, 'must look like celery@host')
      .register(settingInfo, {
        description: 'Celery node name. Two workers of one broker must not share it.',
        example: 'celery@login1',
        derived: { text: '`celery@<host name>`', from: () => `celery@${hostname()}` },
      }),
    heartbeats: type.yesOrNo().register(settingInfo, {
      description:
        'Tell Flower and its like that this worker comes, every two seconds that it is there, and that it goes. `false` is Celery’s `--without-heartbeat`.',
      example: 'false',
      default: true,
    }),
    taskEvents: type.yesOrNo().register(settingInfo, {
      description:
        'Send Celery’s events about tasks from the start, as Celery’s `-E` does. Flower can also turn them on.',
      example: 'true',
      default: false,
    }),
    remoteShutdown: type.yesOrNo().register(settingInfo, {
      description:
        'Let Celery’s remote control stop this worker, as `celery control shutdown` does. Anyone who can log in to RabbitMQ can then stop it.',
      example: 'true',
      default: false,
    }),
    leaseSeconds: type.wholeNumber(3, 600).register(settingInfo, {
      description:
        'A worker renews its lock on the state directory five times within this many seconds. When it has not for a third longer, a standby worker takes over.',
      example: '30',
      default: 15,
    }),
    inFlight: type.wholeNumber(1, 1_000_000).register(settingInfo, {
      description: 'Runs that may be unfinished at one time. The intake pauses at it.',
      example: '200',
      default: 1_000,
    }),
    staging: type.wholeNumber(1, 256).register(settingInfo, {
      description: 'Runs that may download their inputs at one time.',
      example: '4',
      default: 8,
    }),
    commandsAtOnce: type.wholeNumber(1, 256).register(settingInfo, {
      description:
        'Commands (sbatch, squeue, apptainer, …) that run at one time; further ones wait. Jobs of the executor `local` are not among them.',
      example: '4',
      default: 8,
    }),
    retryHours: type.wholeNumber(0, 168).register(settingInfo, {
      description:
        'How many hours the message of a run that failed or was canceled is kept, so that the run can be run again. It holds tokens of Girder, which live for 7 days; only this user can read it. 0 keeps none.',
      example: '24',
      default: 72,
    }),
    retryMegabytes: type.wholeNumber(0, 100_000).register(settingInfo, {
      description: 'So much of such messages is kept at most, in megabytes; the oldest go first.',
      example: '16',
      default: 64,
    }),
    keepFiles: type.yesOrNo().register(settingInfo, {
      description: 'Keep the temporary files of failed runs.',
      example: 'true',
      default: false,
    }),
  }),
  log: z.strictObject({
    level: type.oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).register(settingInfo, {
      description: 'How much is logged.',
      example: 'debug',
      default: 'info',
    }),
    file: type.path().nullable().register(settingInfo, {
      description: 'The worker’s own log. Not set: standard error for `worker`.',
      example: '/var/log/dsa-slurm.log',
      default: null,
      path: true,
    }),
  }),
});

/** Everything that an operator can set, valid and complete: `settings.slurm.partition`. */
export type Settings = z.output<typeof settingsSchema>;
