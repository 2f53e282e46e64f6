import { phaseOf, stateSentence, type JobState } from './states.js';

/**
 * Why a job waits, for the owner of the slide: half a sentence that goes on from "waits:". By Slurm's own words
 * (squeue(1), "JOB REASON CODES"; src/common/job_state_reason.c of several releases).
 */
const sentences: Readonly<Record<string, string>> = {
  Priority: 'other jobs are before it in the queue',
  Resources: 'the computers that it needs are busy',
  Dependency: 'it has to wait for another job',
  DependencyNeverSatisfied: 'it waits for another job that will never end as it should; ask for help',
  BeginTime: 'it is not to start before a certain time',
  Licenses: 'all licenses that it needs are in use',
  Reservation: 'its reservation has not begun yet',
  ReservationInvalid: 'its reservation is not valid any more; ask for help',
  ReservationDeleted: 'its reservation was removed; ask for help',
  FedJobLock: 'the clusters agree on where it will run',
  Cleaning: 'the cluster is cleaning up after an earlier attempt',
  Prolog: 'its computers are being prepared',
  Reboot: 'its computers are being restarted',
  BurstBufferResources: 'the fast storage that it needs is in use',
  BurstBufferStageIn: 'its data are being copied to fast storage',
  PowerNotAvail: 'the cluster saves power at the moment',
  PowerReserved: 'the cluster saves power at the moment',
  NodeDown: 'a computer that it needs is down',
  NodesBusy: 'the computers that it needs are busy',
  FrontEndDown: 'a computer that it needs is down',
  SchedDefer: 'the cluster looks at new jobs a little later',
  DeadLine: 'it cannot be finished before its deadline; ask for help',
  BadConstraints: 'no computer is as it wants one; ask for help',
  Constraints: 'no computer is as it wants one at the moment',
  AccountingPolicy: 'a limit of the cluster is reached',
  AccountNotAllowed: 'its account may not use this part of the cluster; ask for help',
  QOSNotAllowed: 'its quality of service is not allowed here; ask for help',
  InvalidAccount: 'its account is not valid; ask for help',
  InvalidQOS: 'its quality of service is not valid; ask for help',
  PartitionConfig: 'its part of the cluster does not take it as it is; ask for help',
  PartitionDown: 'its part of the cluster takes no work at the moment',
  PartitionInactive: 'its part of the cluster takes no work at the moment',
  PartitionNodeLimit: 'it wants more computers than its part of the cluster has; ask for help',
  PartitionTimeLimit: 'its time limit is longer than its part of the cluster allows; ask for help',
  JobHeldUser: 'it is held, and goes on when somebody releases it',
  JobHeldAdmin: 'it is held by an administrator of the cluster',
  JobHoldMaxRequeue: 'it failed to start too often and is held; ask for help',
  JobArrayTaskLimit: 'enough jobs of its kind are running',
  JobLaunchFailure: 'it could not be started and may be tried again',
  SystemFailure: 'something failed in the cluster; it may be tried again',
  InactiveLimit: 'it reached a limit of the cluster; ask for help',
  TimeLimit: 'its time limit is reached',
  RaisedSignal: 'an earlier attempt was ended by a signal',
  OutOfMemory: 'an earlier attempt needed more memory than it was given',
  NonZeroExitCode: 'an earlier attempt ended with an error',
  WaitingForScheduling: 'the cluster has not looked at it yet',
};

/** Families of reasons, one for each resource that may be limited; the first that fits counts. */
const families: readonly (readonly [RegExp, string])[] = [
  [
    /^ReqNodeNotAvail.*reserved for maintenance/i,
    'the computers that it needs are kept free for maintenance',
  ],
  [/^ReqNodeNotAvail/i, 'a computer that it needs is not available at the moment'],
  // the words of 20.11, 22.05 and 24.11 for what their tables call AccountNotAllowed and QOSNotAllowed
  [/^Job's account not /i, 'its account may not use this part of the cluster; ask for help'],
  [/^Job's QOS not /i, 'its quality of service is not allowed in this part of the cluster; ask for help'],
  [/^Nodes required for job are DOWN/i, 'the computers that it needs are down or kept for others'],
  [/^Resv/i, 'its reservation does not have what it needs at the moment'],
  [/PerUser/i, 'the limit on what one user may use at one time is reached'],
  [/PerAccount/i, 'the limit on what its group may use at one time is reached'],
  [/Grp.*(Minutes|Wall)/i, 'the computing time of its group is used up for now'],
  [/Max(Submit)?Jobs?Limit/i, 'enough jobs of its kind are there already'],
  [/Max.*Per(Job|Node|Limit|CPU)/i, 'it wants more than one job may have; ask for help'],
  [/^QOSMin/i, 'it wants less than a job has to have; ask for help'],
  [/Grp/i, 'the limit on what its group may use at one time is reached'],
  [/^(QOS|Assoc)/i, 'a limit of the cluster is reached'],
  [/^launch[_ ]failed[_ ]requeued[_ ]held/i, 'it could not be started and is held; ask for help'],
  [/^job[_ ]requeued[_ ]in[_ ]held[_ ]state/i, 'it was put back and is held; ask for help'],
  [/^BurstBuffer/i, 'the fast storage that it needs is not ready'],
];

/** A reason of Slurm in plain words; null if Slurm gave none. A reason that is not known is repeated as it is. */
export function pendingSentence(reason: string): string | null {
  const word = reason.trim().replace(/^\((.*)\)$/, '$1');
  if (word === '' || word === 'None') return null;
  // some reasons name nodes behind a comma
  const known = sentences[word] ?? sentences[word.split(',')[0] ?? ''];
  if (known !== undefined) return known;
  return families.find(([pattern]) => pattern.test(word))?.[1] ?? `the cluster says "${word.slice(0, 100)}"`;
}

/** What a message rounds the expected start to: the scheduler thinks it over every half minute. */
const roundMs = 5 * 60_000;

/**
 * One or two sentences about a job that waits, for its Girder job.
 * @param expectedStart milliseconds since the epoch; null where Slurm does not give it, or it has passed
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
  const waits =
    why === null ? stateSentence(state) : `The analysis waits in the queue of the cluster: ${why}.`;
  // Slurm gives a start to held jobs too, but only a person can let them start
  if (expectedStart === null || phaseOf(state, reason) === 'held') return waits;
  const at = new Date(Math.ceil(expectedStart / roundMs) * roundMs).toISOString();
  return `${waits} Expected to start at ${at.slice(0, 16).replace('T', ' ')} UTC.`;
}
