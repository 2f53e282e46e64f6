import { describe, expect, test } from 'vitest';
import { pendingSentence, waitingSentence } from '../../../src/slurm/pending-reasons.js';
import { parseJobState } from '../../../src/slurm/states.js';

/** All reasons of a pending job that Slurm 22.05 knows (the texts in its library), but for each kind of TRES only some. */
const reasons = `
  AccountNotAllowed AccountingPolicy AssocGrpBB AssocGrpBBMinutes AssocGrpBBRunMinutes AssocGrpBilling
  AssocGrpBillingMinutes AssocGrpBillingRunMinutes AssocGrpCPUMinutesLimit AssocGrpCPURunMinutesLimit
  AssocGrpCpuLimit AssocGrpEnergy AssocGrpGRES AssocGrpGRESMinutes AssocGrpGRESRunMinutes
  AssocGrpJobsLimit AssocGrpLicense AssocGrpMemLimit AssocGrpMemMinutes AssocGrpNodeLimit
  AssocGrpNodeRunMinutes AssocGrpSubmitJobsLimit AssocGrpWallLimit AssocMaxBBPerNode
  AssocMaxCpuMinutesPerJobLimit AssocMaxCpuPerJobLimit AssocMaxCpuPerNode AssocMaxGRESPerJob
  AssocMaxJobsLimit AssocMaxMemPerJob AssocMaxNodePerJobLimit AssocMaxSubmitJobLimit
  AssocMaxWallDurationPerJobLimit AssociationJobLimit AssociationResourceLimit AssociationTimeLimit
  BadConstraints BeginTime BurstBufferOperation BurstBufferResources BurstBufferStageIn Cleaning
  DeadLine Dependency DependencyNeverSatisfied FedJobLock FrontEndDown InactiveLimit InvalidAccount
  InvalidQOS JobArrayTaskLimit JobHeldAdmin JobHeldUser JobHoldMaxRequeue JobLaunchFailure Licenses
  MaxBBPerAccount MaxCpuPerAccount MaxGRESPerAccount MaxJobsPerAccount MaxMemPerLimit
  MaxMemoryPerAccount MaxNodePerAccount MaxSubmitJobsPerAccount NodeDown NonZeroExitCode
  PartitionConfig PartitionDown PartitionInactive PartitionNodeLimit PartitionTimeLimit PowerNotAvail
  PowerReserved Priority Prolog QOSGrpBillingMinutes QOSGrpCPUMinutesLimit QOSGrpCPURunMinutesLimit
  QOSGrpCpuLimit QOSGrpGRES QOSGrpJobsLimit QOSGrpMemLimit QOSGrpNodeLimit QOSGrpSubmitJobsLimit
  QOSGrpWallLimit QOSJobLimit QOSMaxCpuMinutesPerJobLimit QOSMaxCpuPerJobLimit QOSMaxCpuPerNode
  QOSMaxCpuPerUserLimit QOSMaxGRESPerUser QOSMaxJobsPerUserLimit QOSMaxMemoryPerJob
  QOSMaxMemoryPerUser QOSMaxNodePerUserLimit QOSMaxSubmitJobPerUserLimit QOSMaxWallDurationPerJobLimit
  QOSMinBB QOSMinCpuNotSatisfied QOSMinGRES QOSMinMemory QOSMinNode QOSNotAllowed QOSResourceLimit
  QOSTimeLimit QOSUsageThreshold ReqNodeNotAvail Reservation ReservationDeleted Resources SchedDefer
  SystemFailure TimeLimit WaitingForScheduling
  ReservationInvalid RaisedSignal OutOfMemory AssocGrpUnknown QOSGrpMemoryMinutes QOSMinBilling MaxBillingPerAccount
`;

describe('the reason of a pending job', () => {
  test("is explained for each of Slurm's reasons", () => {
    const words = reasons.split(/\s+/).filter(Boolean);
    expect(words.length).toBeGreaterThan(100);
    expect(words.filter((word) => /the cluster says/.test(pendingSentence(word) ?? ''))).toEqual([]);
  });

  test.each([
    ['Priority', 'other jobs are ahead of it'],
    ['(Resources)', 'the computers that it needs are busy'],
    ['Resources', 'the computers that it needs are busy'],
    ['QOSMaxCpuPerUserLimit', 'the limit of its user is reached'],
    ['QOSMaxJobsPerUserLimit', 'the limit of its user is reached'],
    ['MaxJobsPerAccount', 'the limit of its account is reached'],
    ['AssocGrpCpuLimit', 'the limit of its account is reached'],
    ['AssocGrpCPUMinutesLimit', 'the computing time of its account is used up for now'],
    ['QOSGrpCPURunMinutesLimit', 'the computing time of its account is used up for now'],
    ['AssocMaxJobsLimit', 'the limit on the number of jobs is reached'],
    ['AssocMaxSubmitJobLimit', 'the limit on the number of jobs is reached'],
    ['QOSMaxWallDurationPerJobLimit', 'it requests more than one job may use; ask for help'],
    ['MaxMemPerLimit', 'it requests more than one job may use; ask for help'],
    ['QOSMinGRES', 'it requests less than the minimum for a job; ask for help'],
    ['QOSUsageThreshold', 'a limit of the cluster is reached'],
    ['ReqNodeNotAvail, UnavailableNodes:n[1-4]', 'a computer that it needs is not available'],
    ['ReqNodeNotAvail, Reserved for maintenance', 'the computers that it needs are reserved for maintenance'],
    [
      'Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions',
      'the computers that it needs are down or reserved',
    ],
    [
      'uid 65534 not in group permitted to use this partition (staff). groups allowed: root staff nobody',
      'its partition is for another group; ask for help',
    ],
    [
      "Job's QOS not permitted to use this partition (strict allows fast not normal)",
      'its QOS is not allowed in this partition; ask for help',
    ],
    [
      "Job's account not permitted to use this partition (strict allows path not other)",
      'its account may not use this partition; ask for help',
    ],
    ['PartitionConfig', 'its partition does not accept it as it is; ask for help'],
    ['launch failed requeued held', 'it could not be started and is held; ask for help'],
    ['Brand New Reason', 'the cluster says "Brand New Reason"'],
  ])('%s: %s', (reason, sentence) => {
    expect(pendingSentence(reason)).toBe(sentence);
  });

  test.each(['', ' ', 'None', '(None)'])('%j is not a reason', (reason) => {
    expect(pendingSentence(reason)).toBeNull();
  });
});

const waits = (state: string, reason: string, expectedStart: number | null = null): string =>
  waitingSentence({ state: parseJobState(state), reason, expectedStart });

describe('the sentence for the Girder job', () => {
  test('shows no expected start for a held job', () => {
    const soon = Date.UTC(2026, 10, 30, 13, 50);
    for (const reason of ['JobHeldUser', 'job requeued in held state'])
      expect(waits('PENDING', reason, soon)).not.toContain('Expected to start');
    expect(waits('PENDING', 'Priority', soon)).toContain('Expected to start at 2026-11-30 13:50 UTC.');
  });

  test.each([
    ['PENDING', '', 'The analysis is waiting in the cluster queue.'],
    ['PENDING', 'Priority', 'The analysis is waiting in the cluster queue: other jobs are ahead of it.'],
    ['RUNNING,CONFIGURING', '', 'The cluster is preparing computers for the analysis.'],
    ['PENDING,REQUEUED', '', 'The analysis was requeued and will start again.'],
  ])('%s, %s', (state, reason, sentence) => {
    expect(waits(state, reason)).toBe(sentence);
  });

  test('shows the expected start, rounded so that it does not change with every poll', () => {
    const at = Date.UTC(2026, 10, 26, 3, 1, 2);
    expect(waits('PENDING', 'Resources', at)).toMatch(/busy\. Expected to start at 2026-11-26 03:05 UTC\.$/);
    expect(waits('PENDING', 'Resources', at + 60_000)).toBe(waits('PENDING', 'Resources', at));
  });
});
