import * as z from 'zod';

import { reservedOptions } from '../reserved-options.js';
import { settingInfo } from '../setting-info.js';
import * as type from '../types.js';

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

const siteDefault = (sbatchOption: string, description: string, example: string) => ({
  sbatchOption,
  description: `${description} If not set, Slurm or the submit script decides.`,
  example,
  default: null,
});

/** Settings `slurm.*`. */
export const slurm = z.strictObject({
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
});
