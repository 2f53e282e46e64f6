import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseShowJob, readBatchScript, showJob } from '../../../../src/slurm/commands/scontrol.js';
import { failed, fakeRun, printed, timedOut, unreachable } from '../fake-run.js';

function captured(name: string): string {
  return readFileSync(new URL(`../../../fixtures/slurm/show-job-${name}.txt`, import.meta.url), 'utf8');
}

describe('parseShowJob', () => {
  it('parses a running job of dsa-slurm', () => {
    expect(parseShowJob(captured('running'))).toMatchObject({
      id: '13',
      name: 'dsa-slurm-0b7c8a52-1111-4222-8333-444455556666',
      comment: 'dsa-slurm:0b7c8a52-1111-4222-8333-444455556666',
      state: { base: 'RUNNING', flags: [] },
      reason: '',
      requeueable: true,
      restarts: 0,
      nodes: 'n1',
    });
  });

  it.each([
    ['cancelled', 'CANCELLED', '', { code: 0, signal: 15 }],
    ['failed', 'FAILED', 'NonZeroExitCode', { code: 3, signal: 0 }],
    ['requeue-hold', 'PENDING', 'job_requeued_in_held_state', { code: 0, signal: 0 }],
    ['suspended', 'SUSPENDED', '', { code: 0, signal: 0 }],
    ['held-array', 'PENDING', 'JobHeldUser', { code: 0, signal: 0 }],
  ])('reads %s', (name, base, reason, exitCode) => {
    expect(parseShowJob(captured(name))).toMatchObject({ state: { base, flags: [] }, reason, exitCode });
  });

  it('parses a name with a newline', () => {
    expect(parseShowJob(captured('odd-name'))?.name).toContain('\nsecond line');
  });

  it('returns null for other text', () => {
    expect(parseShowJob('')).toBeNull();
    expect(parseShowJob('No jobs in the system')).toBeNull();
    expect(parseShowJob(captured('running').slice(0, 150))).toBeNull();
  });
});

describe('showJob', () => {
  it('distinguishes an unknown job from no answer', async () => {
    const unknown = failed('slurm_load_jobs error: Invalid job id specified\n');
    expect(await showJob(fakeRun(() => unknown).run, '42')).toEqual({ kind: 'unknown-job' });
    expect(await showJob(fakeRun(() => unreachable).run, '42')).toMatchObject({ kind: 'silence' });
    expect(await showJob(fakeRun(() => timedOut).run, '42')).toMatchObject({ kind: 'silence' });
    expect(await showJob(fakeRun(() => printed('garbage')).run, '42')).toMatchObject({ kind: 'silence' });
    expect(await showJob(fakeRun(() => printed('')).run, '42')).toMatchObject({ kind: 'silence' });
  });

  it('does not call scontrol with an invalid job id', async () => {
    const { run, calls } = fakeRun(() => printed(''));
    expect(await showJob(run, '--oneliner')).toMatchObject({ kind: 'silence' });
    expect(calls).toEqual([]);
  });
});

function pairsOf(fixture: string) {
  const job = parseShowJob(captured(fixture));
  if (job === null) throw new Error('no job');
  return job.pairs;
}

describe('the pairs of a job', () => {
  it("are in Slurm's order", () => {
    const pairs = pairsOf('running');
    expect(pairs.slice(0, 3).map(([key]) => key)).toEqual(['JobId', 'JobName', 'UserId']);
    const facts = new Map(pairs);
    expect(facts.get('JobState')).toBe('RUNNING');
    expect(facts.get('TRES')).toMatch(/^cpu=\d+,/);
    expect([...facts.keys()]).toEqual(
      expect.arrayContaining(['AllocNode:Sid', 'CPUs/Task', 'ReqB:S:C:T', 'Command', 'StdOut']),
    );
  });

  it('are complete if two share a line, or one takes a whole line', () => {
    const running = captured('running');
    const facts = new Map(pairsOf('running'));
    expect(facts.get('Features')).toBe('(null)');
    expect(facts.get('DelayBoot')).toBe('00:00:00');
    // lines that other jobs have
    const more = parseShowJob(
      running
        .replace('   BatchHost=n1', '   BatchFeatures=fast&big BatchHost=n1')
        .replace('Reason=None', 'Reason=NodeDown FailedNode=n2')
        .replace(
          '   Power=',
          '   MailUser=a@b.example MailType=END,FAIL\n   BurstBuffer=#DW jobdw capacity=1GB',
        ),
    );
    expect(more?.reason).toBe('NodeDown');
    expect(more?.pairs).toEqual(
      expect.arrayContaining([
        ['BatchFeatures', 'fast&big'],
        ['BatchHost', 'n1'],
        ['Reason', 'NodeDown'],
        ['FailedNode', 'n2'],
        ['MailUser', 'a@b.example'],
        ['MailType', 'END,FAIL'],
        ['BurstBuffer', '#DW jobdw capacity=1GB'],
      ]),
    );
  });

  it('are right with names that look like pairs', () => {
    const facts = new Map(pairsOf('odd-name'));
    expect(facts.get('JobName')).toMatch(/^odd \| name, .* q7f3\nsecond line$/s);
    expect(facts.get('Command')).toBe('/shared/j.sh 300');
    expect(facts.get('Dependency')).toBe('(null)');
  });

  it('exist for an array', () => {
    expect(pairsOf('held-array').slice(0, 5)).toEqual([
      ['JobId', '16'],
      ['ArrayJobId', '16'],
      ['ArrayTaskId', '0-5%2'],
      ['ArrayTaskThrottle', '2'],
      ['JobName', 'j.sh'],
    ]);
  });
});

describe('readBatchScript', () => {
  it('prints the script of a job with one query', async () => {
    const { run, calls } = fakeRun(() => printed('#!/bin/sh\nsleep 1\n'));
    expect(await readBatchScript(run, '13')).toEqual({ kind: 'script', text: '#!/bin/sh\nsleep 1\n' });
    expect(calls.map(({ file, args }) => [file, ...args].join(' '))).toEqual([
      'scontrol write batch_script 13 -',
    ]);
  });

  it('uses the number of an array task, and that of the array for its waiting tasks', async () => {
    const { run, calls } = fakeRun(({ args }) =>
      printed(args[0] === 'show' ? captured('running') : '#!/bin/sh\n'),
    );
    await readBatchScript(run, '9_4');
    await readBatchScript(run, '9_[5-8%2]');
    expect(calls.map(({ args }) => args.join(' '))).toEqual([
      'show job 9_4',
      'write batch_script 13 -',
      'write batch_script 9 -',
    ]);
  });

  it('passes on the refusal, and takes no silence for a script', async () => {
    const refused = failed('job script retrieval failed: Access/permission denied\n');
    const why = (await readBatchScript(fakeRun(() => refused).run, '13')) as { why: string };
    expect(why.why).toContain('Access/permission denied');
    expect(await readBatchScript(fakeRun(() => timedOut).run, '13')).toMatchObject({ kind: 'silence' });
    expect(await readBatchScript(fakeRun(() => unreachable).run, '9_4')).toMatchObject({ kind: 'silence' });
  });

  it('never passes an invalid id to a command', async () => {
    const { run, calls } = fakeRun(() => printed(''));
    expect(await readBatchScript(run, '13 -')).toMatchObject({ kind: 'silence' });
    expect(calls).toEqual([]);
  });
});
