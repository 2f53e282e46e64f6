/**
 * Options that no task may set, whatever the operator allows: they write files, run code, become someone else, or break
 * the link between run and job.
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
  ].map((name) => [name, 'it decides about files on the cluster'] as const),
  ...['wrap', 'prolog', 'epilog', 'task-prolog', 'task-epilog', 'propagate', 'export'].map(
    (name) => [name, 'it decides about what is run'] as const,
  ),
  ...['uid', 'gid'].map((name) => [name, 'it decides about whose job it is'] as const),
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
  ].map((name) => [name, 'the worker needs it for itself'] as const),
]);
