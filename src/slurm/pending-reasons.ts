import { phaseOf, stateSentence, type JobState } from './states.js';

/**
 * Why a job is pending, for the pathologist: the rest of a sentence after "waits … :". By Slurm's reason code (squeue(1), "JOB
 * REASON CODES"; src/common/job_state_reason.c of several releases).
 */
const sentences: Readonly<Record<string, string>> = {
  Priority: 'other jobs are ahead of it',
  Resources: 'the computers that it needs are busy',
  Dependency: 'it depends on another job',
  DependencyNeverSatisfied: 'it depends on a job that cannot succeed any more; ask for help',
  BeginTime: 'it is scheduled for a later time',
  Licenses: 'all licenses that it needs are in use',
  Reservation: 'its reservation has not begun yet',
  ReservationInvalid: 'its reservation is no longer valid; ask for help',
  ReservationDeleted: 'its reservation was removed; ask for help',
  FedJobLock: 'the clusters are deciding where it will run',
  Cleaning: 'the cluster is cleaning up after an earlier attempt',
  Prolog: 'its computers are being prepared',
  Reboot: 'its computers are being restarted',
  BurstBufferResources: 'the fast storage that it needs is in use',
  BurstBufferStageIn: 'its data are being copied to fast storage',
  PowerNotAvail: 'the cluster is saving power',
  PowerReserved: 'the cluster is saving power',
  NodeDown: 'a computer that it needs is down',
  NodesBusy: 'the computers that it needs are busy',
  FrontEndDown: 'a computer that it needs is down',
  SchedDefer: 'the cluster has not scheduled it yet',
  DeadLine: 'it cannot be finished before its deadline; ask for help',
  BadConstraints: 'no computer has the features that it requires; ask for help',
  Constraints: 'no computer with the features that it requires is available',
  AccountingPolicy: 'a limit of the cluster is reached',
  AccountNotAllowed: 'its account may not use this partition; ask for help',
  QOSNotAllowed: 'its QOS is not allowed here; ask for help',
  InvalidAccount: 'its account is not valid; ask for help',
  InvalidQOS: 'its QOS is not valid; ask for help',
  PartitionConfig: 'its partition does not accept it as it is; ask for help',
  PartitionDown: 'its partition runs no jobs at present',
  PartitionInactive: 'its partition runs no jobs at present',
  PartitionNodeLimit: 'it requests more computers than its partition allows; ask for help',
  PartitionTimeLimit: 'its time limit is longer than its partition allows; ask for help',
  JobHeldUser: 'it is held until its owner releases it',
  JobHeldAdmin: 'it is held by a cluster administrator',
  JobHoldMaxRequeue: 'it failed to start too often and is held; ask for help',
  JobArrayTaskLimit: 'the limit on running jobs of its array is reached',
  JobLaunchFailure: 'it could not be started and may be retried',
  SystemFailure: 'the cluster had a failure; it may be retried',
  InactiveLimit: 'it reached a limit of the cluster; ask for help',
  TimeLimit: 'its time limit is reached',
  RaisedSignal: 'an earlier attempt was killed by a signal',
  OutOfMemory: 'an earlier attempt needed more memory than it was given',
  NonZeroExitCode: 'an earlier attempt ended with an error',
  WaitingForScheduling: 'the cluster has not scheduled it yet',
};

/** Families of reasons, one per limited resource; the first match counts. */
const families: readonly (readonly [RegExp, string])[] = [
  [/^ReqNodeNotAvail.*reserved for maintenance/i, 'the computers that it needs are reserved for maintenance'],
  [/^ReqNodeNotAvail/i, 'a computer that it needs is not available'],
  // what 20.11, 22.05 and 24.11 print for AccountNotAllowed and QOSNotAllowed
  [/^Job's account not /i, 'its account may not use this partition; ask for help'],
  // 24.11 and 26.05 accept such a job, which 22.05 refuses
  [/not in group permitted to use this partition/i, 'its partition is for another group; ask for help'],
  [/^Job's QOS not /i, 'its QOS is not allowed in this partition; ask for help'],
  [/^Nodes required for job are DOWN/i, 'the computers that it needs are down or reserved'],
  [/^Resv/i, 'its reservation does not have free what it needs'],
  [/PerUser/i, 'the limit of its user is reached'],
  [/PerAccount/i, 'the limit of its account is reached'],
  [/Grp.*(Minutes|Wall)/i, 'the computing time of its account is used up for now'],
  [/Max(Submit)?Jobs?Limit/i, 'the limit on the number of jobs is reached'],
  [/Max.*Per(Job|Node|Limit|CPU)/i, 'it requests more than one job may use; ask for help'],
  [/^QOSMin/i, 'it requests less than the minimum for a job; ask for help'],
  [/Grp/i, 'the limit of its account is reached'],
  [/^(QOS|Assoc)/i, 'a limit of the cluster is reached'],
  [/^launch[_ ]failed[_ ]requeued[_ ]held/i, 'it could not be started and is held; ask for help'],
  [/^job[_ ]requeued[_ ]in[_ ]held[_ ]state/i, 'it was requeued and is held; ask for help'],
  [/^BurstBuffer/i, 'the fast storage that it needs is not ready'],
];

/** Explains Slurm's reason; null if Slurm gave none. An unknown reason is quoted. */
export function pendingSentence(reason: string): string | null {
  const word = reason.trim().replace(/^\((.*)\)$/, '$1');
  if (word === '' || word === 'None') return null;
  // some reasons list nodes after a comma
  const known = sentences[word] ?? sentences[word.split(',')[0] ?? ''];
  if (known !== undefined) return known;
  return families.find(([pattern]) => pattern.test(word))?.[1] ?? `the cluster says "${word.slice(0, 100)}"`;
}

/** The expected start is rounded up to this: the backfill scheduler changes it every half minute. */
const roundMs = 5 * 60_000;

/**
 * One or two sentences about a pending job, for its Girder job.
 * @param expectedStart milliseconds since the epoch; null if Slurm gives none, or it has passed
 */
export function waitingSentence({
  state,
  reason,
  expectedStart,
}: {
  state: JobState;
  reason: string;
  expectedStart: number | null;
}): string {
  const why = pendingSentence(reason);
  const waits = why === null ? stateSentence(state) : `The analysis is waiting in the cluster queue: ${why}.`;
  // Slurm shows an expected start for held jobs, too, but they must be released first
  if (expectedStart === null || phaseOf(state, reason) === 'held') return waits;
  const at = new Date(Math.ceil(expectedStart / roundMs) * roundMs).toISOString();
  return `${waits} Expected to start at ${at.slice(0, 16).replace('T', ' ')} UTC.`;
}
