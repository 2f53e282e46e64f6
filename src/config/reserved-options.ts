/**
 * sbatch options that no task may set, whatever `slurm.userOptions` allows, by name, with the reason: they access files, run
 * code, change the user, or break the link between a run and its job.
 */
export const reservedOptions: ReadonlyMap<string, string> = new Map([
  ...[
    'output',
    'error',
    'input',
    'open-mode',
    'chdir',
    'workdir',
    'export-file',
    'get-user-env',
    'bb',
    'bbf',
    'container',
    'container-id',
    'profile',
    'acctg-freq',
  ].map((name) => [name, 'it accesses files on the cluster'] as const),
  ...['wrap', 'prolog', 'epilog', 'task-prolog', 'task-epilog', 'propagate', 'export'].map(
    (name) => [name, 'it changes what the job runs'] as const,
  ),
  ...['uid', 'gid'].map((name) => [name, 'it changes the user of the job'] as const),
  ...['mail-user', 'mail-type'].map((name) => [name, 'it sends mail'] as const),
  ...[
    'array',
    'job-name',
    'comment',
    'parsable',
    'dependency',
    'wait',
    'wait-all-nodes',
    'test-only',
    'clusters',
    'cluster-constraint',
    'kill-on-invalid-dep',
    'ignore-pbs',
    'help',
    'usage',
    'version',
    'verbose',
    'quiet',
  ].map((name) => [name, 'the worker sets it'] as const),
]);
