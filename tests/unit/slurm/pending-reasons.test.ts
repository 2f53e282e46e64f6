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

describe('the reason of a job that waits', () => {
  test('has words of its own for everything that Slurm says', () => {
    const words = reasons.split(/\s+/).filter(Boolean);
    expect(words.length).toBeGreaterThan(100);
    expect(words.filter((word) => /the cluster says/.test(pendingSentence(word) ?? ''))).toEqual([]);
  });

  test.each([
    ['Priority', 'other jobs are before it in the queue'],
    ['(Resources)', 'the computers that it needs are busy'],
    ['Resources', 'the computers that it needs are busy'],
    ['QOSMaxCpuPerUserLimit', 'the limit on what one user may use at one time is reached'],
    ['QOSMaxJobsPerUserLimit', 'the limit on what one user may use at one time is reached'],
    ['MaxJobsPerAccount', 'the limit on what its group may use at one time is reached'],
    ['AssocGrpCpuLimit', 'the limit on what its group may use at one time is reached'],
    ['AssocGrpCPUMinutesLimit', 'the computing time of its group is used up for now'],
    ['QOSGrpCPURunMinutesLimit', 'the computing time of its group is used up for now'],
    ['AssocMaxJobsLimit', 'enough jobs of its kind are there already'],
    ['AssocMaxSubmitJobLimit', 'enough jobs of its kind are there already'],
    ['QOSMaxWallDurationPerJobLimit', 'it wants more than one job may have; ask for help'],
    ['MaxMemPerLimit', 'it wants more than one job may have; ask for help'],
    ['QOSMinGRES', 'it wants less than a job has to have; ask for help'],
    ['QOSUsageThreshold', 'a limit of the cluster is reached'],
    ['ReqNodeNotAvail, UnavailableNodes:n[1-4]', 'a computer that it needs is not available at the moment'],
    [
      'ReqNodeNotAvail, Reserved for maintenance',
      'the computers that it needs are kept free for maintenance',
    ],
    [
      'Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions',
      'the computers that it needs are down or kept for others',
    ],
    [
      "Job's QOS not permitted to use this partition (strict allows fast not normal)",
      'its quality of service is not allowed in this part of the cluster; ask for help',
    ],
    [
      "Job's account not permitted to use this partition (strict allows path not other)",
      'its account may not use this part of the cluster; ask for help',
    ],
    ['PartitionConfig', 'its part of the cluster does not take it as it is; ask for help'],
    ['launch failed requeued held', 'it could not be started and is held; ask for help'],
    ['Brand New Reason', 'the cluster says "Brand New Reason"'],
  ])('%s: %s', (reason, sentence) => {
    expect(pendingSentence(reason)).toBe(sentence);
  });

  test.each(['', ' ', 'None', '(None)'])('%j is none', (reason) => {
    expect(pendingSentence(reason)).toBeNull();
  });
});

const waits = (state: string, reason: string, expectedStart: number | null = null): string =>
  waitingSentence({ state: parseJobState(state), reason, expectedStart });

describe('the sentence for the Girder job', () => {
  test('gives no start for a job that is held', () => {
    const soon = Date.UTC(2026, 10, 30, 13, 50);
    for (const reason of ['JobHeldUser', 'job requeued in held state'])
      expect(waits('PENDING', reason, soon)).not.toContain('Expected to start');
    expect(waits('PENDING', 'Priority', soon)).toContain('Expected to start at 2026-11-30 13:50 UTC.');
  });

  test.each([
    ['PENDING', '', 'The analysis waits in the queue of the cluster.'],
    [
      'PENDING',
      'Priority',
      'The analysis waits in the queue of the cluster: other jobs are before it in the queue.',
    ],
    ['RUNNING,CONFIGURING', '', 'The cluster is preparing computers for the analysis.'],
    ['PENDING,REQUEUED', '', 'The analysis was put back into the queue and will start again.'],
  ])('%s, %s', (state, reason, sentence) => {
    expect(waits(state, reason)).toBe(sentence);
  });

  test('says when Slurm expects to start it, in steps that do not change with every look', () => {
    const at = Date.UTC(2026, 10, 26, 3, 1, 2);
    expect(waits('PENDING', 'Resources', at)).toMatch(/busy\. Expected to start at 2026-11-26 03:05 UTC\.$/);
    expect(waits('PENDING', 'Resources', at + 60_000)).toBe(waits('PENDING', 'Resources', at));
  });
});
