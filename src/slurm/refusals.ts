/**
 * Why sbatch refused a job, which decides whether the job is submitted again:
 * - `limit`: a limit on submitted jobs is reached; temporary, because jobs end.
 * - `unavailable`: the cluster, or this host's Slurm client, accepts no jobs at present, whatever the request.
 * - `account`: account, QOS or user are not accepted. Final, unless the same combination was accepted before: slurmctld
 *   gives this answer, too, before it has loaded its associations and while the directory service is down.
 * - `request`: the job itself can never run here. Final.
 * - `unknown`: a message that is not in the table.
 */
export type RefusalCause = 'limit' | 'unavailable' | 'account' | 'request' | 'unknown';

export interface KnownRefusal {
  cause: Exclude<RefusalCause, 'unknown'>;
  pattern: RegExp;
  /** Slurm's messages, and the releases that printed them. */
  seen: readonly (readonly [message: string, releases: string])[];
}

const policy =
  "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)";

function refused(reason: string): string {
  return `sbatch: error: Batch job submission failed: ${reason}`;
}

/**
 * sbatch's refusals, in the order in which they are matched. The releases are those whose answer was recorded; `source`
 * means that the message is from src/common/slurm_errno.c and was not reproduced.
 */
export const knownRefusals: readonly KnownRefusal[] = [
  {
    cause: 'limit',
    // sbatch names the limit on a separate line; the sentence after it is the same for permanent limits
    pattern: /\b\w*(Grp|Max)SubmitJobs?\w*/,
    seen: [
      [`sbatch: error: AssocMaxSubmitJobLimit\n${policy}`, '22.05.8'],
      [`sbatch: error: AssocGrpSubmitJobsLimit\n${policy}`, '20.11.4, 22.05.8, 24.11.5'],
      [`sbatch: error: QOSGrpSubmitJobsLimit\n${policy}`, '20.11.4, 22.05.8, 24.11.5'],
      [`sbatch: error: QOSMaxSubmitJobPerUserLimit\n${policy}`, '20.11.4, 22.05.8, 24.11.5'],
      [`sbatch: error: MaxSubmitJobsPerAccount\n${policy}`, '20.11.4, 22.05.8, 24.11.5'],
    ],
  },
  {
    cause: 'limit',
    pattern: /temporarily un|MaxJobCount|try again|rate limit|retry momentarily/i,
    seen: [
      ['sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying', '22.05.8'],
      [refused('Resource temporarily unavailable'), '22.05.8'],
      [refused('Rate limit exceeded, please retry momentarily'), '24.11.5'],
    ],
  },
  {
    cause: 'request',
    pattern:
      /invalid partition (name )?specified|node configuration is not available|memory specification can not be satisfied|invalid feature specification|generic resource \(gres\)|reservation is invalid|unrecognized option|invalid option|ambiguous|unable to open file|time limit is invalid|node count specification|more processors requested|argument list too long|E2BIG|accounting\/QOS policy|invalid --/i,
    seen: [
      [refused('Invalid partition name specified'), '20.11.4, 22.05.8, 24.11.5'],
      [refused('Requested node configuration is not available'), '22.05.8'],
      ['sbatch: error: Memory specification can not be satisfied', '22.05.8'],
      [refused('Invalid feature specification'), '22.05.8'],
      ['sbatch: error: Invalid generic resource (gres) specification', '22.05.8'],
      [refused('Requested reservation is invalid'), '20.11.4, 22.05.8, 24.11.5'],
      [`sbatch: error: QOSMaxWallDurationPerJobLimit\n${policy}`, '22.05.8'],
      ["sbatch: unrecognized option '--badoption'", '22.05.8'],
      ['sbatch: error: Unable to open file /nonexist', '22.05.8'],
    ],
  },
  {
    cause: 'unavailable',
    pattern:
      /partition not available|I\/O error writing|shared librar|configuration source|process configuration file|authentication error|authentication credential|database error|not responding/i,
    seen: [
      [refused('Required partition not available (inactive or drain)'), '22.05.8'],
      [refused('I/O error writing script/environment to file'), '22.05.8'],
      [
        'sbatch: error while loading shared libraries: libslurmfull.so: cannot open shared object file: No such file or directory',
        '22.05.8',
      ],
      ['sbatch: fatal: Could not establish a configuration source', '22.05.8'],
      [refused('Protocol authentication error'), 'source'],
      [refused('Invalid authentication credential'), 'source'],
    ],
  },
  {
    cause: 'account',
    pattern:
      /invalid account|invalid qos|account\/partition combination|invalid user id|access\/permission denied|access denied to requested reservation|not permitted to use|user not found/i,
    seen: [
      [refused('Invalid account or account/partition combination specified'), '20.11.4, 22.05.8, 24.11.5'],
      [refused('Invalid qos specification'), '20.11.4, 22.05.8, 24.11.5'],
      [refused("User's group not permitted to use this partition"), '22.05.8'],
      [refused('Access denied to requested reservation'), 'source'],
      [refused('Invalid user id'), 'source'],
    ],
  },
];

/** Exit codes of a program that could not be started or loaded: Slurm was not contacted. */
const notStarted = new Set([126, 127]);

/**
 * Classifies a refusal by sbatch's error message.
 * @param exitCode null if sbatch could not be started at all
 */
export function refusalCause(message: string, exitCode: number | null): RefusalCause {
  const known = knownRefusals.find(({ pattern }) => pattern.test(message));
  if (known !== undefined) return known.cause;
  return exitCode === null || notStarted.has(exitCode) ? 'unavailable' : 'unknown';
}

/** For the pathologist, while submission of a refused job is retried. */
export function refusedSentence(cause: RefusalCause): string {
  return cause === 'limit'
    ? 'The analysis waits: the cluster has reached its limit on submitted jobs.'
    : 'The analysis waits: the cluster accepts no such jobs at present. It is submitted as soon as the cluster does.';
}
