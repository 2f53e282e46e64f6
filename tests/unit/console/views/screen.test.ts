import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { defaultPreferences } from '../../../../src/console/state/preferences.js';
import { initialState, reduce } from '../../../../src/console/state/reducer.js';
import type { Action } from '../../../../src/console/state/action.js';
import { tableNames, type ConsoleState } from '../../../../src/console/state/state.js';
import { chooseTheme } from '../../../../src/console/terminal/theme.js';
import { screenLines } from '../../../support/screen-lines.js';
import { fakeNode, fakePartition } from '../../../support/fake-cluster.js';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../../support/fake-worker-handle.js';

const theme = chooseTheme({});

function linesOf(state: ConsoleState, shownWith = theme): string[] {
  return screenLines(state, shownWith);
}

function stateOf(worker: FakeWorker, columns = 80, rows = 24, now = 0): ConsoleState {
  return initialState({
    snapshot: worker.snapshot(),
    now,
    size: { columns, rows },
    preferences: { ...defaultPreferences, pane: false },
  });
}

function showing(parts: Parameters<FakeWorker['show']>[0]): FakeWorker {
  const worker = createFakeWorker();
  worker.show(parts);
  return worker;
}

const after = (state: ConsoleState, ...actions: Action[]): ConsoleState => actions.reduce(reduce, state);

const head = (worker: FakeWorker, now = 0): string =>
  linesOf(stateOf(worker, 120, 24, now))
    .slice(0, 5)
    .join('\n');

describe('the table', () => {
  test('shows a run with its job, its title and its progress', () => {
    const worker = showing({
      runs: [
        fakeRun({
          id: 'aaaaaaaa-1',
          stage: 'running',
          jobId: '4711',
          title: 'Liver',
          user: 'alice',
          progress: 0.42,
        }),
      ],
      jobs: { rows: [fakeJob({ id: '4711', elapsed: 75, startedAt: 1, nodes: 'node2' })] },
    });
    const wide = linesOf(stateOf(worker, 200, 50)).find((line) => line.includes('4711'));
    expect(wide).toMatch(
      /▸● RUNNING +4711 +aaaaaaaa +NucleiDetection +example\/small:v1 +Liver +alice +cpu +1 +1m 15s +1h 00m +━+─+ {2}42% +node2/u,
    );
    const narrow = linesOf(stateOf(worker)).find((line) => line.includes('4711'));
    expect(narrow).toMatch(/▸● RUNNING +4711 +NucleiDetect… Liver +1m 15s ━── {2}42% node2/u);
  });

  test('shows runs without a job, and jobs without a run', () => {
    const lines = linesOf(
      stateOf(
        showing({
          runs: [fakeRun({ id: 'a', stage: 'staging' })],
          jobs: { rows: [fakeJob({ id: '7', name: 'backup' })] },
        }),
      ),
    ).join('\n');
    expect(lines).toMatch(/● RUNNING +7 +backup/u);
    expect(lines).toMatch(/◐ staging +NucleiDetect…/u);
  });

  test.each([
    [59, /backup/u],
    [79, /backup +of worker/u],
    [199, /backup(?!.* of worker)/u],
  ])('tells once what a job without a run is, at %i cells', (width, message) => {
    const state = stateOf(showing({ jobs: { rows: [fakeJob({ id: '7', name: 'backup' })] } }), width + 1);
    expect(linesOf(state).find((line) => line.startsWith('▸'))).toMatch(message);
  });

  test.each([
    [{ rows: [], at: 0, problem: null }, 'No runs and no jobs: no task has arrived'],
    [{ rows: [], at: null, problem: null }, 'because Slurm has not answered yet'],
    [{ rows: [], at: null, problem: 'squeue is missing' }, 'because Slurm has not answered yet'],
    [{ rows: [], at: 0, problem: 'no answer' }, 'no jobs when Slurm last answered'],
  ])('distinguishes empty and unknown jobs: %j', (jobs, sentence) => {
    expect(linesOf(stateOf(showing({ jobs }), 120)).join('\n')).toContain(sentence);
  });

  test('says that a filter hides all rows', () => {
    const state = after(stateOf(showing({ runs: [fakeRun({ id: 'a' })] })), {
      type: 'filterTyped',
      text: 'zzz',
    });
    expect(linesOf(state).join('\n')).toContain(
      'No matches for "zzz"; the filter hides 1 row. Press Esc to clear it.',
    );
  });
});

describe('the health lines', () => {
  test('show a healthy worker', () => {
    const text = head(
      showing({
        profile: 'lab',
        health: { inFlight: 12, finished: { succeeded: 1_034, failed: 2, canceled: 1 } },
        jobs: { at: 1_000 },
      }),
      4_000,
    );
    expect(text).toContain('dsa-slurm › lab › jobs');
    expect(text).toContain('● broker consuming  ● intake open  12/1,000 in flight');
    expect(text).toContain('● Slurm 3s ago');
    expect(text).toMatch(/✔ 1,034 ok {3}✘ 2 failed {3}⊘ 1 canceled/u);
  });

  test('do not mention Slurm with the local executor', () => {
    const worker = showing({ executor: 'local', jobs: { at: 1_000 }, health: { inFlight: 1 } });
    expect(head(worker, 4_000)).toContain('● This host 3s ago');
    const asked = linesOf(after(stateOf(worker), { type: 'quitOpened' })).join('\n');
    expect(asked).toContain('leave: jobs on this host continue; no updates to Girder until restart');
    for (const jobs of [{ at: null }, { at: 0, problem: null }, { at: 0, problem: 'a full disk' }]) {
      worker.show({ jobs });
      expect(linesOf(stateOf(worker)).join('\n')).not.toMatch(/slurm(?! ›)/i);
    }
  });

  test('show age and error when Slurm does not respond, and keep the rows', () => {
    const worker = showing({
      jobs: { rows: [fakeJob({ id: '7' })], at: 0, problem: 'squeue did not answer within 30 s' },
    });
    expect(head(worker, 42_000)).toContain(
      '▲ Slurm not responding for 42s: squeue did not answer within 30 s',
    );
    expect(linesOf(stateOf(worker)).join('\n')).toMatch(/RUNNING +7/u);
  });

  test('name the process of an attached worker, and the age of the data once it does not respond', () => {
    const link = { kind: 'socket', path: '/s/w', pid: 4711, at: 1_000, problem: null, ended: false } as const;
    const text = head(showing({ link }), 13_000);
    expect(text).toMatch(/› jobs .*attached to process 4711$/mu);
    expect(text).not.toContain('old');
    const gone = head(showing({ link: { ...link, problem: 'It\u001B[31m is slow.' } }), 13_000);
    expect(gone).toContain('[worker not responding for 12s]');
    expect(gone).toContain('▲ This data is 12s old. It is slow. Reconnecting.');
    expect(gone).not.toMatch(/broker|intake|Slurm not/u);
  });

  test.each(['mine', 'all'] as const)(
    'say that the worker has ended, mark its rows, and do not blame Slurm (jobs: %s)',
    (scope) => {
      const lost = {
        kind: 'socket',
        path: '/s/w',
        pid: 4711,
        at: 1_000,
        problem: 'It closed the connection.',
        ended: true,
      } as const;
      const rows = [fakeJob({ id: '7' })];
      const worker = showing({
        profile: 'lab',
        link: lost,
        runs: [fakeRun({ id: 'a', stage: 'staging', stageSince: 0 })],
        jobs: { rows, at: 0, problem: null },
        health: { inFlight: 1 },
      });
      // a live view names the connection as its problem
      const allJobs = { rows, at: 0, problem: 'It closed the connection.' };
      const state = after(
        stateOf(worker, 120, 20, 13_000),
        { type: 'liveViewChanged', name: 'allJobs', view: allJobs, now: 13_000 },
        { type: 'scopeChosen', scope },
      );
      const text = linesOf(state).join('\n');
      expect(text).toContain('[worker ended 12s ago]');
      expect(text).toContain('✘ worker ended, process 4711  1 run in flight 12s ago');
      expect(text).toContain('▲ jobs as of 13s ago: the worker has ended');
      expect(text).toMatch(
        /▲ Start the worker again: dsa-slurm --profile lab worker \(until then no task is accepted/u,
      );
      expect(text).not.toMatch(/● (broker|intake|Slurm)|not responding/u);
      expect(text).toMatch(/^[▸~]● RUNNING +7/mu);
      // the time of the run stopped with its worker
      expect(text).toMatch(/^[▸~].*staging.* 1s /mu);
    },
  );

  test('show that no worker is running instead of broker and intake', () => {
    const worker = showing({
      link: { kind: 'none', problem: null },
      health: { inFlight: 2 },
      jobs: { at: 0 },
      profile: 'lab',
    });
    const text = head(worker, 3_000);
    expect(text).toMatch(/\[no worker\]$/mu);
    expect(text).toContain('⊘ no worker running  2 unfinished runs in its journal');
    expect(text).toContain('Tasks wait in the queue. Start a worker: dsa-slurm --profile lab worker');
    expect(text).toContain('● Slurm 3s ago');
    expect(text).not.toMatch(/broker|intake/u);
    expect(linesOf(stateOf(worker)).join('\n')).toContain('No runs and no jobs: the journal is empty');
  });

  test('distinguish an unreachable worker from none', () => {
    const problem = 'The worker is of version 9, and this is version 8.';
    const worker = showing({ link: { kind: 'none', problem }, jobs: { at: 0 } });
    const text = head(worker, 3_000);
    expect(text).toContain('⊘ no worker reachable');
    expect(text).toContain(`▲ ${problem} Reconnecting.`);
    expect(text).not.toContain('Start one');
  });

  test('have a line for each problem with broker and Girder', () => {
    const text = head(
      showing({
        health: {
          broker: { state: 'disconnected', since: 0, problem: 'refused' },
          intake: 'full',
          problem: 'Girder answers 502',
        },
      }),
      5_000,
    );
    expect(text).toContain('✘ broker disconnected for 5s');
    expect(text).toContain('▲ intake full');
    expect(text).toContain('▲ Broker: refused');
    expect(text).toContain('▲ Worker: Girder answers 502');
  });
});

function quitQuestion(changes: Partial<ConsoleState>): string {
  const state = stateOf(showing({ health: { inFlight: 3 } }));
  return linesOf(after({ ...state, ...changes }, { type: 'quitOpened' })).join('\n');
}

test('the first Slurm answer is shown as pending', () => {
  const lines = linesOf(stateOf(showing({ jobs: { rows: [], at: null } })));
  expect(lines[2]).toContain('Slurm has not answered yet');
});

describe('questions', () => {
  test('names everything that will be canceled', () => {
    const worker = showing({
      runs: [fakeRun({ id: 'run-1', stage: 'running', jobId: '4711', title: 'Liver', user: 'alice' })],
      jobs: { rows: [fakeJob({ id: '4711', name: 'dsa-x' })] },
    });
    const state = stateOf(worker);
    const [row] = state.tables.jobs.rows;
    if (row === undefined) throw new Error('no row');
    const asked = after(state, {
      type: 'confirmOpened',
      target: { request: { kind: 'cancel' }, rows: [row], skipped: 0 },
    });
    const text = linesOf(asked).join('\n');
    for (const part of ['4711', 'run-1', 'NucleiDetection of example/small:v1', 'Liver (alice)', 'RUNNING']) {
      expect(text).toContain(part);
    }
  });

  test('shows the ends of long titles', () => {
    const runs = [1, 2].map((slide) =>
      fakeRun({
        id: `run-${slide}`,
        jobId: `47${slide}`,
        title: `Nuclei detection on TCGA-02-0010 slide ${slide}.svs`,
      }),
    );
    const state = stateOf(showing({ runs }));
    const [first, ...others] = state.tables.jobs.rows;
    if (first === undefined) throw new Error('no row');
    const target = { request: { kind: 'cancel' }, rows: [first, ...others], skipped: 0 } as const;
    const text = linesOf(after(state, { type: 'confirmOpened', target })).join('\n');
    for (const slide of [1, 2])
      expect(text).toMatch(new RegExp(`47${slide} Nuclei.*….* slide ${slide}\\.svs`, 'u'));
    expect(linesOf(after(state, { type: 'quitCancelOpened', runs })).join('\n')).toContain('slide 2.svs');
  });

  test('shows a long answer of scancel completely', () => {
    const text = `scancel: error: Kill job error on job id 4711: ${'Access/permission denied '.repeat(4)}end`;
    const state = after(stateOf(showing({})), {
      type: 'messageShown',
      message: { tone: 'bad', text, until: null },
    });
    const lines = linesOf(state);
    expect(lines).toHaveLength(23);
    const message = lines.slice(-4, -1).map((line) => line.trim());
    expect(message.join(' ').trim()).toBe(`✘ ${text}`);
  });

  test('offers the available choices for runs in flight when quitting', () => {
    const text = quitQuestion({ workerLifetime: 'endsOrDetaches' });
    expect(text).toContain('Quit? 3 runs are in flight.');
    expect(text).toContain('l  leave: Slurm jobs continue; no updates to Girder until restart');
    expect(text).toContain('k  keep the worker running as a service');
    expect(text).toContain('c  cancel all 3, after confirmation');
    expect(quitQuestion({ workerLifetime: 'ends' })).not.toContain('k  keep');
    const harmless = quitQuestion({ workerLifetime: 'endsOrDetaches', readOnly: true });
    expect(harmless).toContain('l  leave');
    expect(harmless).not.toMatch(/k {2}keep|c {2}cancel/u);
  });

  test('lists the runs before canceling all of them', () => {
    const runs = Array.from({ length: 12 }, (_, index) =>
      fakeRun({ id: `run-${index}`, jobId: `47${index}`, title: `Slide ${index}` }),
    );
    const lines = linesOf(after(stateOf(showing({})), { type: 'quitCancelOpened', runs }));
    const text = lines.join('\n');
    expect(text).toContain('Cancel 12 runs and quit?');
    expect(text).toMatch(/470 Slide 0, 471 Slide 1, .* more/su);
    expect(text).toContain('y yes');
    expect(lines).toHaveLength(23);
  });
});

describe('a frame', () => {
  const hostile = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\u001B[2J', '\u001B]0;x\u0007', '\n', '\t', '腫', '👩🏽‍🔬', '\u0301', '\u202E', 'a', ' '),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }),
    ),
    maxLength: 60,
  });
  const actions = fc.array(
    fc.oneof(
      fc.constantFrom<Action>(
        { type: 'logToggled' },
        { type: 'focusToggled' },
        { type: 'wrapToggled' },
        { type: 'helpOpened' },
        { type: 'quitOpened' },
        { type: 'quitCancelOpened', runs: [fakeRun({ id: 'r', title: '\u001B[2J\n'.repeat(40) })] },
        { type: 'filterOpened' },
        { type: 'back' },
        { type: 'messageShown', message: { tone: 'bad', text: 'scancel: error: '.repeat(20), until: null } },
      ),
      fc
        .constantFrom(
          'up' as const,
          'down' as const,
          'pageUp' as const,
          'pageDown' as const,
          'first' as const,
          'last' as const,
        )
        .map((move): Action => ({ type: 'cursorMoved', move })),
      hostile.map((line): Action => ({
        type: 'tailReceived',
        logId: '0',
        tail: { lines: [line, line, line], lost: 7 },
      })),
      hostile.map((text): Action => ({ type: 'filterTyped', text })),
      fc.constantFrom(...tableNames).map((view): Action => ({ type: 'navigated', place: { view } })),
      fc
        .constantFrom(...tableNames)
        .map((table): Action => ({ type: 'navigated', place: { view: 'item', table, id: 'n1', top: 0 } })),
      hostile.map((text): Action => ({
        type: 'liveViewChanged',
        name: 'cluster',
        view: {
          nodes: [
            fakeNode({ name: 'n1', state: text, reason: text, partitions: [text], gres: text }),
            fakeNode({ name: text }),
          ],
          partitions: [fakePartition({ name: text, available: text, states: { [text]: 3 } })],
          at: 0,
          problem: text,
        },
        now: 0,
      })),
    ),
    { maxLength: 8 },
  );

  test('never exceeds the terminal, whatever its content', { timeout: 60_000 }, () => {
    const size = fc.record({
      columns: fc.integer({ min: 20, max: 220 }),
      rows: fc.integer({ min: 5, max: 60 }),
    });
    fc.assert(
      fc.property(hostile, size, actions, fc.boolean(), (text, { columns, rows }, events, troubled) => {
        const problem = troubled ? text : null;
        const worker = showing({
          profile: text,
          runs: Array.from({ length: 30 }, (_, index) =>
            fakeRun({
              id: String(index),
              stage: 'running',
              title: text,
              user: text,
              image: text,
              cli: text,
              reason: text,
              progress: index / 29,
            }),
          ),
          jobs: {
            rows: [fakeJob({ id: '1', name: text, nodes: text, state: { base: text, flags: [] } })],
            problem,
          },
          health: { broker: { state: 'disconnected', since: 0, problem }, problem },
        });
        const state = after(stateOf(worker, columns, rows), ...events);
        for (const shownWith of [theme, chooseTheme({ TERM: 'dumb' })]) {
          const lines = linesOf(state, shownWith);
          expect(lines.length).toBeLessThan(rows);
          for (const line of lines) {
            expect(line).not.toMatch(/\p{Cc}/u);
            expect(stringWidth(line)).toBeLessThanOrEqual(columns);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  test('fills all rows of the terminal except one', () => {
    for (const rows of [15, 16, 17, 24, 50, 100]) {
      for (const events of [
        [],
        [{ type: 'logToggled' }],
        [{ type: 'quitOpened' }],
        [{ type: 'helpOpened' }],
        ...tableNames.map((view) => [{ type: 'navigated', place: { view } }]),
      ] as Action[][]) {
        expect(linesOf(after(stateOf(showing({}), 80, rows), ...events))).toHaveLength(rows - 1);
      }
    }
  });

  test('is ASCII on a dumb terminal', () => {
    const worker = showing({
      runs: [fakeRun({ id: 'a', stage: 'running', progress: 0.3 })],
      health: { inFlight: 1 },
    });
    for (const events of [
      [],
      [{ type: 'logToggled' }],
      [{ type: 'quitOpened' }],
      [{ type: 'helpOpened' }],
    ] as Action[][]) {
      const text = linesOf(after(stateOf(worker), ...events), chooseTheme({ TERM: 'dumb' })).join('');
      expect(text).toMatch(/^[ -~]*$/u);
    }
  });
});

test.each([
  [{}, true],
  [{ NO_COLOR: '' }, true],
  [{ NO_COLOR: '1' }, false],
  [{ TERM: 'dumb' }, false],
  [{ TERM: 'xterm-256color' }, true],
])('color with %j: %j', (env, color) => {
  expect(chooseTheme(env).color).toBe(color);
});
