import { writeFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, describe, expect, test, vi } from 'vitest';

import type { CommandResult } from '../../../../src/base/command.js';
import { describeChunk } from '../../../../src/girder/jobs/log-chunk.js';
import { GirderError } from '../../../../src/girder/api/girder-error.js';
import type { GirderJob } from '../../../../src/girder/jobs/job.js';
import type { ExitRecord } from '../../../../src/slurm/exit-record.js';
import { jobComment, jobName } from '../../../../src/slurm/job-identity.js';
import type { JobRecord } from '../../../../src/slurm/job-records.js';
import type { NewRunEvent } from '../../../../src/worker/run-state/run-store.js';
import { failed, sacctLine, printed, squeueLine, type Call } from '../../slurm/fake-run.js';
import {
  openProcessRunBench,
  type ProcessRunBench,
  type ProcessRunBenchOptions,
} from '../process-run-bench.js';

const unknownJob = failed('slurm_load_jobs error: Invalid job id specified\n');
const noAccounting = failed('Slurm accounting storage is disabled\n');

let bench: ProcessRunBench | undefined;
afterEach(async () => bench?.close());

async function setUp(
  slurm: (call: Call) => CommandResult | Promise<CommandResult>,
  options?: Omit<ProcessRunBenchOptions, 'slurm'>,
): Promise<ProcessRunBench> {
  bench = await openProcessRunBench({ ...options, slurm });
  return bench;
}

const staged = { args: [], argsHoldToken: false, binds: [], ownDirectories: [], volumes: {} };

/** What the journal holds when the worker died before it read the answer of sbatch. */
function unanswered(dir: string): NewRunEvent[] {
  const submission = { key: 'run-1', logFile: join(dir, 'log'), exitRecord: join(dir, 'exit'), at: 1 };
  return [{ type: 'staging' }, { type: 'staged', staged }, { type: 'submitting', submission }];
}

/** What it holds when the job is in Slurm. */
function submitted(dir: string): NewRunEvent[] {
  return [...unanswered(dir), { type: 'submitted', jobId: '42' }];
}

function withoutStaged(events: NewRunEvent[]): NewRunEvent[] {
  return events.filter(({ type }) => type !== 'staged');
}

/** A Slurm that has one job of the run, until it is canceled. */
function slurmWithJob(): (call: Call) => CommandResult {
  let state = 'RUNNING';
  return (call) => {
    if (call.file === 'squeue') {
      return printed(squeueLine(call, { JobArrayID: '42', State: state, Name: jobName('run-1') }));
    }
    if (call.file === 'scancel') state = 'CANCELLED';
    return call.file === 'scancel' ? printed('') : failed(`no ${call.file} is expected here`);
  };
}

function markedJob(call: Call, id: string, state: string, submitted: string, mark: string): string {
  return squeueLine(call, {
    JobArrayID: id,
    State: state,
    Name: jobName('run-1'),
    SubmitTime: submitted,
    Comment: jobComment('run-1', mark),
  });
}

describe('a run whose sbatch was never answered', () => {
  test('is canceled together with a job that may exist', async () => {
    const { finished, calls } = await setUp(slurmWithJob(), {
      events: (dir) => [...unanswered(dir), { type: 'cancel-requested', by: 'girder' }],
    });
    expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'canceled', jobId: '42' });
    expect(calls.find(({ file }) => file === 'scancel')?.args).toEqual(['--batch', '--signal=QUIT', '42']);
  });

  test('is canceled if no job exists', async () => {
    const { finished, calls } = await setUp((call) => (call.file === 'squeue' ? printed('') : noAccounting), {
      events: (dir) => [...unanswered(dir), { type: 'cancel-requested', by: 'girder' }],
    });
    expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'canceled', jobId: null });
    expect(calls.filter(({ file }) => file === 'sbatch')).toEqual([]);
  });

  test('cancels its own older job, but not that of another worker for the same task', async () => {
    let questions = 0;
    const { finished, calls } = await setUp(
      (call) => {
        if (call.file === 'scancel') return printed('');
        questions += 1;
        const state = questions < 3 ? 'RUNNING' : 'COMPLETED';
        return printed(
          markedJob(call, '41', 'RUNNING', '1795462100', '00000001') +
            markedJob(call, '42', state, '1795462200', '00000001') +
            markedJob(call, '77', 'RUNNING', '1795462300', '00000002'),
        );
      },
      {
        events: (dir) =>
          unanswered(dir).map((event) =>
            event.type === 'submitting'
              ? { ...event, submission: { ...event.submission, mark: '00000001' } }
              : event,
          ),
      },
    );
    expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'succeeded', jobId: '42' });
    expect(calls.filter(({ file }) => file === 'scancel').map(({ args }) => args)).toEqual([
      ['--batch', '--signal=QUIT', '41'],
      ['41'],
    ]);
  });

  test('is not submitted again if only its exit record shows that the job existed', async () => {
    const { finished, calls, dir } = await setUp(
      (call) => {
        if (call.file === 'squeue') return printed('');
        return call.file === 'scontrol' ? unknownJob : noAccounting;
      },
      { events: unanswered },
    );
    await writeFile(join(dir, 'exit'), 'exit=3\njob=42\nnode=n1\nstart=1\nend=2\n');
    expect(await finished()).toMatchObject({ outcome: 'failed', jobId: '42', end: { toldBy: 'record' } });
    expect(calls.filter(({ file }) => file === 'sbatch')).toEqual([]);
  });
});

describe('a run whose damaged journal lost where its files are', () => {
  test('follows its job to its end, and then says why the outputs were not uploaded', async () => {
    const { finished } = await setUp(
      (call) =>
        call.file === 'squeue'
          ? printed(squeueLine(call, { JobArrayID: '42', State: 'COMPLETED', Name: jobName('run-1') }))
          : failed(`no ${call.file} is expected here`),
      { events: (dir) => withoutStaged(submitted(dir)) },
    );
    expect(await finished()).toMatchObject({
      outcome: 'failed',
      jobId: '42',
      end: { outcome: 'succeeded' },
      reason: expect.stringMatching(
        /^The journal of the worker no longer says where the outputs are\./,
      ) as string,
    });
  });

  test('is canceled if it has no job', async () => {
    const { finished, calls } = await setUp((call) => (call.file === 'squeue' ? printed('') : noAccounting), {
      events: (dir) => [...withoutStaged(unanswered(dir)), { type: 'cancel-requested', by: 'girder' }],
    });
    expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'canceled', jobId: null });
    expect(calls.filter(({ file }) => file === 'sbatch')).toEqual([]);
  });
});

describe('a run whose Girder job is final already', () => {
  const girderJob: Partial<GirderJob> = { begin: async () => 'over' };

  test('does not leave its job running', async () => {
    const { finished, calls } = await setUp(slurmWithJob(), {
      events: submitted,
      girderJob,
    });
    expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'canceled' });
    expect(calls.some(({ file }) => file === 'scancel')).toBe(true);
  });

  test('is neither staged nor submitted', async () => {
    const { finished, calls, dir } = await setUp(
      (call) => (call.file === 'squeue' ? printed('') : noAccounting),
      { girderJob },
    );
    expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'canceled', jobId: null });
    expect(calls.filter(({ file }) => file !== 'squeue')).toEqual([]);
    expect(await readdir(dir)).toEqual([]);
  });
});

/** A Slurm whose job runs for two questions. */
function slurmWithEndingJob(tail = ''): (call: Call) => CommandResult {
  let asked = 0;
  return (call) => {
    if (call.file === 'scontrol') return unknownJob;
    if (call.file !== 'squeue') return noAccounting;
    asked += 1;
    const state = asked < 3 ? 'RUNNING' : 'COMPLETED';
    if (tail !== '' && asked >= 3) return printed(tail);
    return printed(squeueLine(call, { JobArrayID: '42', State: state, Name: jobName('run-1') }));
  };
}

test('an expired task is canceled with a reason for its owner', async () => {
  const { finished, calls } = await setUp(() => printed(''), {
    task: { expires: '2026-01-01T00:00:00.000Z' },
    girderJob: { begin: async () => Promise.reject(new Error('never RUNNING')) },
  });
  expect(await finished()).toMatchObject({
    outcome: 'canceled',
    cancel: { by: 'expiry' },
    reason: 'The task expired before it could be started.',
  });
  expect(calls.filter(({ file }) => file !== 'squeue')).toEqual([]);
});

describe('a run that has its job', () => {
  test.each(['missing', 'access', 'not-girder'] as const)(
    'is followed to its end when Girder refuses it at a restart (%s)',
    async (problem) => {
      const begin = async (): Promise<never> => {
        throw new GirderError('refused', { kind: problem });
      };
      const { finished } = await setUp(slurmWithEndingJob(), { events: submitted, girderJob: { begin } });
      expect(await finished()).toMatchObject({ outcome: 'succeeded', end: { toldBy: 'squeue' } });
    },
  );

  test('ends by its exit record when the output of squeue cannot be parsed', async () => {
    const { finished, dir } = await setUp(slurmWithEndingJob('Welcome to the cluster!\n'), {
      events: submitted,
    });
    await writeFile(join(dir, 'exit'), 'exit=0\njob=42\nnode=n1\nstart=1\nend=2\n');
    expect(await finished()).toMatchObject({ outcome: 'succeeded', end: { toldBy: 'record' } });
  });

  test.each([
    ['TIMEOUT', 0, 'failed'],
    ['CANCELLED by 0', 143, 'canceled'],
    ['COMPLETED', 0, 'succeeded'],
  ] as const)(
    'ended as the accounting says (%s), however late, and not as its exit record says',
    async (state, exit, outcome) => {
      let asked = 0;
      const { finished, dir } = await setUp(
        (call) => {
          if (call.file === 'squeue') return printed('');
          if (call.file === 'scontrol') return unknownJob;
          asked += 1;
          if (asked < 10) return printed('');
          const name = jobName('run-1');
          return printed(sacctLine(call, { JobID: '42', JobName: name, State: state, ExitCode: '0:0' }));
        },
        { events: submitted },
      );
      await writeFile(join(dir, 'exit'), `exit=${exit}\njob=42\nnode=n1\nstart=1\nend=2\n`);
      expect(await finished()).toMatchObject({ outcome, end: { toldBy: 'sacct' } });
    },
  );

  test('ends by its exit record if accounting never reports the end', async () => {
    const { finished, dir, calls } = await setUp(
      (call) => (call.file === 'scontrol' ? unknownJob : printed('')),
      { events: submitted },
    );
    await writeFile(join(dir, 'exit'), 'exit=3\njob=42\nnode=n1\nstart=1\nend=2\n');
    expect(await finished()).toMatchObject({ outcome: 'failed', end: { toldBy: 'record' } });
    // for ten minutes, and not with each poll
    expect(calls.filter(({ file }) => file === 'sacct').length).toBeGreaterThan(20);
    expect(calls.filter(({ file }) => file === 'sacct').length).toBeLessThan(50);
  });

  test('with another id than sbatch printed is found by its key', async () => {
    let state = 'RUNNING';
    const { finished, calls } = await setUp(
      (call) => {
        if (call.file === 'sacct') return noAccounting;
        // 42 is somebody else's
        if (call.file === 'scontrol') return unknownJob;
        const isByName = call.args.some((arg) => arg.startsWith('--name='));
        if (isByName) state = 'COMPLETED';
        return printed(squeueLine(call, { JobArrayID: '57', State: state, Name: jobName('run-1') }));
      },
      { events: submitted },
    );
    expect(await finished()).toMatchObject({ outcome: 'succeeded', jobId: '57', end: { toldBy: 'squeue' } });
    expect(calls.filter(({ file }) => file === 'scancel')).toEqual([]);
  });

  test('with another id than sbatch printed is found by its key where accounting is kept', async () => {
    let state = 'RUNNING';
    const { finished, dir, calls } = await setUp(
      (call) => {
        // 42 is somebody else's
        if (call.file === 'scontrol') return unknownJob;
        if (call.file === 'sacct') return printed('');
        if (!call.args.some((arg) => arg.startsWith('--name='))) {
          return printed(squeueLine(call, { JobArrayID: '57', State: state, Name: jobName('run-1') }));
        }
        state = 'COMPLETED';
        return printed(squeueLine(call, { JobArrayID: '57', State: 'RUNNING', Name: jobName('run-1') }));
      },
      { events: submitted },
    );
    await writeFile(join(dir, 'exit'), 'exit=0\njob=57\nnode=n1\nstart=1\nend=2\n');
    expect(await finished()).toMatchObject({ outcome: 'succeeded', jobId: '57', end: { toldBy: 'squeue' } });
    // long before the exit record would have been believed
    expect(calls.filter(({ file }) => file === 'sacct').length).toBeLessThan(20);
  });

  test("is canceled by the operator, although it ends while the operator's scancel still runs", async () => {
    let state = 'RUNNING';
    let seen = 0;
    const { finished, cancelJob, results } = await setUp(
      async (call) => {
        if (call.file === 'scancel') {
          state = 'CANCELLED';
          await vi.waitFor(() => expect(seen).toBeGreaterThan(3));
          return printed('');
        }
        if (state === 'CANCELLED') seen += 1;
        return printed(squeueLine(call, { JobArrayID: '42', State: state, Name: jobName('run-1') }));
      },
      { events: submitted },
    );
    const canceled = cancelJob('42');
    expect(await finished()).toMatchObject({ outcome: 'canceled', cancel: { by: 'operator' } });
    expect(results).toMatchObject([{ status: 'REVOKED', reason: 'revoked' }]);
    await canceled;
  });

  test('is over when two answers after its cancel do not show the job, without a question about this one', async () => {
    let isCanceled = false;
    let answers = 0;
    const { finished, cancelJob, calls } = await setUp(
      (call) => {
        if (call.file === 'scancel') isCanceled = true;
        if (call.file !== 'squeue') return printed('');
        if (isCanceled) answers += 1;
        const name = jobName('run-1');
        return printed(
          isCanceled ? '' : squeueLine(call, { JobArrayID: '42', State: 'PENDING', Name: name }),
        );
      },
      { events: submitted },
    );
    await cancelJob('42');
    expect(await finished()).toMatchObject({
      outcome: 'canceled',
      end: { state: { base: 'CANCELLED' }, toldBy: 'squeue' },
    });
    expect(answers).toBeGreaterThanOrEqual(2);
    expect(calls.filter(({ file }) => file === 'scontrol' || file === 'sacct')).toEqual([]);
  });

  test('that is canceled is found under another id than sbatch printed, and canceled there', async () => {
    const canceled = new Set<string>();
    const { finished } = await setUp(
      (call) => {
        if (call.file === 'scancel') for (const id of call.args) canceled.add(id);
        if (call.file === 'scontrol') return unknownJob;
        if (call.file === 'sacct') return noAccounting;
        if (call.file !== 'squeue') return printed('');
        const state = canceled.has('57') ? 'CANCELLED' : 'RUNNING';
        return printed(squeueLine(call, { JobArrayID: '57', State: state, Name: jobName('run-1') }));
      },
      { events: (dir) => [...submitted(dir), { type: 'cancel-requested', by: 'operator' }] },
    );
    expect(await finished()).toMatchObject({ outcome: 'canceled', jobId: '57' });
    expect(canceled).toContain('57');
  });

  test('is canceled again until the job has ended, because Slurm may requeue it', async () => {
    let canceled = 0;
    const { finished } = await setUp(
      (call) => {
        if (call.file === 'scancel') {
          canceled += 1;
          return canceled === 1
            ? failed(
                'scancel: error: Kill job error on job id 42: Job/step already completing or completed\n',
              )
            : printed('');
        }
        const state = canceled < 2 ? 'RUNNING' : 'CANCELLED';
        return printed(squeueLine(call, { JobArrayID: '42', State: state, Name: jobName('run-1') }));
      },
      { events: (dir) => [...submitted(dir), { type: 'cancel-requested', by: 'operator' }] },
    );
    expect(await finished()).toMatchObject({ outcome: 'canceled', end: { state: { base: 'CANCELLED' } } });
  });
});

/** Records of the batch script of job 42, which appear when the test says so. */
function scriptedRecords() {
  let listener: ((record: JobRecord) => void) | null = null;
  const exit = (over: Partial<ExitRecord> = {}): void =>
    listener?.({
      kind: 'exit',
      record: {
        exitCode: 0,
        jobId: '42',
        node: 'n1',
        startedAt: 1,
        endedAt: 2,
        reachedLimit: false,
        undisturbed: true,
        logBytes: null,
        usage: null,
        ...over,
      },
    });
  return {
    records: {
      watch(_key: string, listen: (record: JobRecord) => void) {
        listener = listen;
        return () => undefined;
      },
    },
    begin: (jobId = '42') => listener?.({ kind: 'begin', jobId }),
    exit,
  };
}

const used = { wallMs: 1, cpuMs: null, memoryBytes: null, cgroupMemoryBytes: null, oomKills: 1 };
const granted = { cpus: null, grantedMemoryBytes: null, gpus: null, gpuMemoryBytes: null };

describe('the records of a job', () => {
  test.each([
    [0, 'succeeded', 'COMPLETED'],
    [3, 'failed', 'FAILED'],
  ] as const)(
    'end the run with exit code %d as %s, whatever Slurm still shows',
    async (exitCode, outcome, base) => {
      const { records, exit } = scriptedRecords();
      const { finished, calls } = await setUp(
        (call) => {
          if (call.file !== 'squeue') return failed(`no ${call.file} is expected here`);
          setImmediate(() => exit({ exitCode }));
          return printed(squeueLine(call, { JobArrayID: '42', State: 'RUNNING', Name: jobName('run-1') }));
        },
        { events: submitted, records },
      );
      expect(await finished()).toMatchObject({
        outcome,
        end: { toldBy: 'record', state: { base }, exitCode: { code: exitCode, signal: 0 } },
      });
      expect(calls.filter(({ file }) => file !== 'squeue')).toEqual([]);
    },
  );

  test.each<[string, Partial<ExitRecord>]>([
    ['a signal reached it', { undisturbed: false }],
    ['its time limit was near', { reachedLimit: true }],
    ['its memory was exhausted', { usage: { ...used, ...granted } }],
    ['another job has written it', { jobId: '41' }],
  ])('leave the end to Slurm if %s', async (_, over) => {
    const { records, exit } = scriptedRecords();
    let asked = 0;
    const { finished } = await setUp(
      (call) => {
        if (call.file !== 'squeue') return unknownJob;
        asked += 1;
        setImmediate(() => exit(over));
        const State = asked < 4 ? 'RUNNING' : 'OUT_OF_MEMORY';
        return printed(squeueLine(call, { JobArrayID: '42', State, Name: jobName('run-1') }));
      },
      { events: submitted, records },
    );
    expect(await finished()).toMatchObject({
      outcome: 'failed',
      end: { toldBy: 'squeue', state: { base: 'OUT_OF_MEMORY' } },
    });
  });

  test('leave the end of a requeued job to Slurm', async () => {
    const { records, exit } = scriptedRecords();
    let State = 'RUNNING';
    const { finished } = await setUp(
      (call) => {
        if (call.file !== 'squeue') return unknownJob;
        return printed(squeueLine(call, { JobArrayID: '42', State, Name: jobName('run-1') }));
      },
      {
        events: submitted,
        records,
        onEvent({ type }) {
          if (type === 'started') State = 'PENDING';
          if (type !== 'waiting') return;
          setImmediate(() => {
            // the first attempt still ran on a node that Slurm has lost
            exit();
            State = 'FAILED';
          });
        },
      },
    );
    expect(await finished()).toMatchObject({ outcome: 'failed', end: { toldBy: 'squeue' } });
  });

  test('start the run, and an answer of Slurm from before does not take that back', async () => {
    const { records, begin } = scriptedRecords();
    const { promise: hasBegun, resolve: noteBegin } = Promise.withResolvers<void>();
    const stages: string[] = [];
    let asked = 0;
    const { finished } = await setUp(
      async (call) => {
        if (call.file !== 'squeue') return unknownJob;
        asked += 1;
        const State = ['PENDING', 'PENDING', 'RUNNING'][asked - 1] ?? 'COMPLETED';
        if (asked === 2) {
          // the job starts while this question is on its way
          begin();
          await hasBegun;
        }
        return printed(squeueLine(call, { JobArrayID: '42', State, Name: jobName('run-1') }));
      },
      {
        events: submitted,
        records,
        onEvent({ type }) {
          if (type === 'started') noteBegin();
          if (type === 'started' || type === 'waiting') stages.push(type);
        },
      },
    );
    expect(await finished()).toMatchObject({ outcome: 'succeeded' });
    expect(stages).toEqual(['started']);
  });
});

test('a job that is missing from an answer older than itself is not looked for', async () => {
  const { promise: isFollowed, resolve: noteFollowing } = Promise.withResolvers<void>();
  const { records } = scriptedRecords();
  let asked = 0;
  const { finished, calls } = await setUp(
    async (call) => {
      if (call.file !== 'squeue') return unknownJob;
      asked += 1;
      // begins before the job is known, and is answered afterwards
      if (asked === 1) await isFollowed;
      const row = squeueLine(call, { JobArrayID: '42', State: 'COMPLETED', Name: jobName('run-1') });
      return printed(asked === 1 ? '' : row);
    },
    {
      events: submitted,
      records: {
        watch(key, listener) {
          setImmediate(noteFollowing);
          return records.watch(key, listener);
        },
      },
    },
  );
  expect(await finished()).toMatchObject({ outcome: 'succeeded', end: { toldBy: 'squeue' } });
  expect(calls.filter(({ file }) => file === 'scontrol')).toEqual([]);
});

const ended: NewRunEvent = {
  type: 'job-ended',
  end: {
    outcome: 'succeeded',
    state: { base: 'COMPLETED', flags: [] },
    exitCode: { code: 0, signal: 0 },
    reason: '',
    toldBy: 'squeue',
  },
};

describe('a run whose job had ended when the worker died', () => {
  test.each<[string, NewRunEvent[]]>([
    ['before its outputs were uploaded', []],
    ['before the outcome was reported', [{ type: 'decided', outcome: 'succeeded', reason: null }]],
  ])('%s: the unsent part of the log is sent', async (_, more) => {
    const sent: string[] = [];
    const { finished } = await setUp(() => failed('Slurm is not asked'), {
      events: (dir) => {
        writeFileSync(join(dir, 'log'), 'sent before\nthe rest\n');
        return [...submitted(dir), { type: 'log-sent', offset: 'sent before\n'.length }, ended, ...more];
      },
      girderJob: { log: (text) => void sent.push(text) },
    });
    expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'succeeded' });
    expect(sent.join('')).toBe('the rest\n');
  });
});

test.each<[string, NewRunEvent[]]>([
  ['while the job ran', [{ type: 'started' }]],
  ['when it had ended', [ended]],
])('after a crash %s, a log chunk that Girder has is not sent again', async (_, last) => {
  const sent: string[] = [];
  const upTo = 'sent before\n'.length;
  const piece = describeChunk('sent before\n', 0);
  const { finished } = await setUp(slurmWithEndingJob(), {
    events: (dir) => {
      writeFileSync(join(dir, 'log'), 'sent before\nthe rest\n');
      return [...submitted(dir), { type: 'log-sending', upTo, piece }, ...last];
    },
    girderJob: {
      log: (text) => void sent.push(text),
      read: async () => ({ status: 2, handler: '', log: ['sent before\n'] }),
    },
  });
  expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'succeeded' });
  expect(sent.join('')).toBe('the rest\n');
});

test('a run that cannot be reported to Girder ends, and records the reason', async () => {
  const page = new GirderError('It answered with a web page.', {
    kind: 'not-girder',
    next: 'Check the URL.',
  });
  const finish = async (): Promise<never> => Promise.reject(page);
  const { finished } = await setUp(slurmWithEndingJob(), { events: submitted, girderJob: { finish } });
  expect(await finished()).toMatchObject({
    stage: 'finished',
    outcome: 'succeeded',
    reason: 'The outcome could not be reported to Girder: It answered with a web page. Check the URL.',
  });
});

describe('follow-up tasks of a run', () => {
  const embed = { callbacks: [{ task: 'next' }], errbacks: [{ task: 'failed' }], chain: [{ task: 'last' }] };
  const body = JSON.stringify([['a/b:c'], {}, embed]);

  test.each<['succeeded' | 'failed' | 'canceled', number, string[]]>([
    ['succeeded', 3, ['next', 'last']],
    ['failed', 4, ['failed']],
    ['canceled', 5, []],
    // canceled in Girder at the last moment
    ['succeeded', 5, []],
  ])('that %s, and is %i in Girder: %o', async (outcome, status, tasks) => {
    const { finished, published, results } = await setUp(() => printed(''), {
      task: { headers: {}, body },
      events: () => [{ type: 'decided', outcome, reason: null }],
      girderJob: { finish: async () => status },
    });
    expect(await finished()).toMatchObject({ stage: 'finished', outcome });
    expect(published).toEqual(tasks);
    expect(results).toHaveLength(1);
  });

  test.each([
    [false, 2],
    [true, 1],
  ])(
    'a caller of the last task of a failed chain gets a result, unless results are ignored (%s)',
    async (ignoreResult, count) => {
      const chain = [{ task: 'last', options: { task_id: 'z', reply_to: 'caller' } }];
      const { finished, results } = await setUp(() => printed(''), {
        task: { headers: {}, body: JSON.stringify([['a/b:c'], {}, { chain }]), ignoreResult },
        events: () => [{ type: 'decided', outcome: 'failed', reason: 'no tissue' }],
      });
      await finished();
      expect(results).toEqual(
        Array.from({ length: count }, () => ({ status: 'FAILURE', message: 'no tissue' })),
      );
    },
  );
});

test.each([
  ['has said it', '\nthe slide is empty\n', 0],
  ['has not', 'line\n', 1],
])('after a crash following the decision %s: the reason is in the log once', async (_, log, times) => {
  const words: string[] = [];
  const { finished } = await setUp(() => failed('nothing is expected here'), {
    events: () => [{ type: 'decided', outcome: 'failed', reason: 'the slide is empty' }],
    girderJob: {
      log: (text) => void words.push(text),
      read: async () => ({ status: 2, handler: '', log: ['line\n', log] }),
    },
  });
  expect(await finished()).toMatchObject({ stage: 'finished', outcome: 'failed' });
  expect(words).toEqual(Array.from({ length: times }, () => '\nthe slide is empty\n'));
});
