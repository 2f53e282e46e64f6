import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createController, type Controller } from '../../../../src/console/commands/controller.js';
import type { QuitChoice } from '../../../../src/console/commands/command.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { contextOf, type WorkerLifetime } from '../../../../src/console/state/state.js';
import { createStore } from '../../../../src/console/state/store.js';
import type { Store } from '../../../../src/console/state/action.js';
import { chooseTheme } from '../../../../src/console/terminal/theme.js';
import { statusLine } from '../../../../src/console/views/header.js';
import { screenLines } from '../../../support/screen-lines.js';
import { createFakeWorker, fakeJob, fakeRun, type FakeWorker } from '../../../support/fake-worker-handle.js';

let worker: FakeWorker;
let store: Store;
let controller: Controller;
let quits: number;
let choices: QuitChoice[];
let saved: { name: string; text: string }[];
let copied: string[];

function openConsole(options: { readOnly?: boolean; workerLifetime?: WorkerLifetime } = {}): void {
  store = createStore(
    initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 24 }, ...options }),
  );
  quits = 0;
  choices = [];
  saved = [];
  copied = [];
  controller = createController({
    handle: worker,
    store,
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
    quit(choice) {
      quits += 1;
      choices.push(choice);
    },
    host: {
      async saveFile(name, text) {
        saved.push({ name, text });
        return `/here/${name}`;
      },
      copyToClipboard: (text) => copied.push(text),
      openPager: async () => null,
    },
  });
}

const message = (): string | undefined => store.get().message?.text;
const context = (): string => contextOf(store.get());

beforeEach(() => {
  worker = createFakeWorker();
  worker.show({
    runs: [fakeRun({ id: 'run-1', stage: 'running', jobId: '4711' })],
    jobs: { rows: [fakeJob({ id: '4711', submittedAt: 0 })] },
    health: { inFlight: 1 },
  });
  openConsole();
});

describe('cancel', () => {
  test('asks for confirmation', async () => {
    controller.press(['x']);
    expect(context()).toBe('confirm');
    expect(worker.commands).toEqual([]);
    controller.press(['y']);
    expect(context()).toBe('table');
    expect(worker.commands).toEqual(['cancel run-1']);
    await vi.waitFor(() => expect(message()).toBe('Cancel run run-1 NucleiDetection: accepted'));
  });

  test.each(['n', 'enter', 'Y', 'esc', 'q', 'space', 'x'])('%s does not confirm', (key) => {
    controller.press(['x']);
    controller.press([key]);
    expect(context()).toBe('table');
    expect(worker.commands).toEqual([]);
  });

  test('a y typed ahead does not answer the question', () => {
    controller.press(['x', 'y']);
    expect(context()).toBe('confirm');
    expect(worker.commands).toEqual([]);
  });

  test('shows an error of scancel until the next key', async () => {
    worker.answerWith({ ok: false, message: 'scancel: error: Access denied' });
    controller.press(['x']);
    controller.press(['y']);
    await vi.waitFor(() => expect(message()).toContain('scancel: error: Access denied'));
    expect(store.get().message).toMatchObject({ tone: 'bad', until: null });
    controller.press(['j']);
    expect(message()).toBeUndefined();
  });

  test('shows exceptions', async () => {
    worker.answerWith(new Error('socket closed'));
    controller.press(['x']);
    controller.press(['y']);
    await vi.waitFor(() => expect(message()).toBe('socket closed'));
  });

  test('cancels a job without a run by its job id', async () => {
    worker.show({ runs: [] });
    openConsole();
    controller.press(['x']);
    controller.press(['y']);
    expect(worker.commands).toEqual(['cancel 4711']);
    await vi.waitFor(() => expect(message()).toContain('accepted'));
  });

  test('cancels the row of the question even if the table changes', () => {
    controller.press(['x']);
    worker.show({ runs: [fakeRun({ id: 'run-2', stage: 'running' })], jobs: { rows: [] } });
    store.dispatch({ type: 'snapshot', snapshot: worker.snapshot(), now: 1 });
    controller.press(['y']);
    expect(worker.commands).toEqual(['cancel run-1']);
  });

  test('refuses a finished run without a question', () => {
    worker.show({
      runs: [fakeRun({ id: 'run-1', stage: 'finished', outcome: 'failed' })],
      jobs: { rows: [] },
    });
    openConsole();
    controller.press(['x']);
    expect([context(), message()]).toEqual([
      'table',
      'Nothing to cancel: run run-1 NucleiDetection is finished.',
    ]);
  });

  test('asks nothing without a selected row', () => {
    worker.show({ runs: [], jobs: { rows: [] } });
    openConsole();
    controller.press(['x']);
    expect(context()).toBe('table');
  });
});

describe('pause', () => {
  test('pauses and resumes', async () => {
    controller.press(['p']);
    expect(context()).toBe('pause');
    controller.press(['n']);
    expect([context(), worker.commands]).toEqual(['table', []]);
    controller.press(['p']);
    controller.press(['y']);
    await vi.waitFor(() => expect(message()).toContain('Intake paused'));
    store.dispatch({ type: 'snapshot', snapshot: worker.snapshot(), now: 1 });
    controller.press(['p']);
    await vi.waitFor(() => expect(message()).toContain('Intake resumed'));
    expect(worker.commands).toEqual(['pause', 'resume']);
  });

  test('reports errors', async () => {
    worker.answerWith(new Error('no channel'));
    controller.press(['p']);
    controller.press(['y']);
    await vi.waitFor(() => expect(message()).toBe('no channel'));
  });
});

test('a read-only console sends no command for any key', () => {
  openConsole({ readOnly: true });
  for (let code = 0x20; code < 0x7f; code += 1) {
    const key = String.fromCharCode(code);
    if (key === '/' || key === 'q' || key === ':') continue;
    controller.press([key]);
    controller.press(['y']);
  }
  expect(worker.commands).toEqual([]);
  controller.press(['esc']);
  controller.press(['x']);
  expect(message()).toMatch(/^This console is read-only: x does nothing here \(Cancel /u);
});

test('a misspelled command gets a suggestion', () => {
  line('nodse');
  expect(message()).toBe('Unknown command "nodse". Did you mean :nodes?');
});

test('a notice does not outlive a change of view', () => {
  worker.show({ runs: [], jobs: { rows: [] } });
  openConsole();
  controller.press(['x']);
  expect(message()).toContain('Select a run or job');
  controller.press(['2']);
  expect(message()).toBeUndefined();
});

function cancelAll(): void {
  controller.press(['q']);
  controller.press(['c']);
  controller.press(['y']);
}

describe('quit', () => {
  test('asks while runs are in flight', () => {
    controller.press(['q']);
    expect([context(), quits]).toEqual(['quit', 0]);
    controller.press(['n']);
    expect([context(), quits]).toEqual(['table', 0]);
    controller.press(['q']);
    controller.press(['y']);
    expect(choices).toEqual(['leave']);
  });

  test('says that the last run has ended while the question was open', () => {
    controller.press(['q']);
    worker.show({ health: { inFlight: 0 } });
    store.dispatch({ type: 'snapshot', snapshot: worker.snapshot(), now: 0 });
    const shown = screenLines(store.get()).join('\n');
    expect(shown).toContain('Quit? The last run has ended.');
    expect(shown).not.toContain('are in flight.');
    controller.press(['l']);
    expect(choices).toEqual(['leave']);
  });

  test('k keeps the worker if it can be detached', () => {
    controller.press(['q']);
    controller.press(['k']);
    expect([context(), quits, message()]).toEqual(['table', 0, expect.stringContaining('cannot continue')]);
    openConsole({ workerLifetime: 'endsOrDetaches' });
    controller.press(['q']);
    controller.press(['k']);
    expect(choices).toEqual(['keep']);
  });

  test('c asks again, cancels every run and quits when none is in flight', async () => {
    worker.show({
      runs: [fakeRun({ id: 'a' }), fakeRun({ id: 'b' }), fakeRun({ id: 'c', stage: 'finished' })],
    });
    openConsole();
    controller.press(['q', 'c', 'y']);
    // keys typed ahead do not answer the question
    expect([context(), worker.commands]).toEqual(['quit', []]);
    controller.press(['c']);
    expect(context()).toBe('quitCancel');
    controller.press(['n']);
    expect([context(), worker.commands]).toEqual(['table', []]);
    controller.press(['q']);
    controller.press(['c']);
    controller.press(['y']);
    await vi.waitFor(() => expect(message()).toContain('2 runs canceled'));
    expect([worker.commands, quits]).toEqual([['drain', 'cancel a b'], 0]);
    worker.show({ health: { inFlight: 0 } });
    expect(choices).toEqual(['leave']);
  });

  test.each([
    ['open', ['drain', 'resume'], 'open', ', the intake is open again'],
    ['full', ['drain', 'resume'], 'open', ', the intake is open again'],
    ['blocked', ['drain', 'resume'], 'open', ', the intake is open again'],
    ['paused', ['drain', 'pause'], 'paused', ', the intake is paused again'],
    ['draining', ['drain'], 'draining', ''],
  ] as const)(
    'what scancel refuses keeps the console open, and the intake that was %s as it was',
    async (intake, commands, after, words) => {
      worker.show({ runs: [fakeRun({ id: 'a' })], health: { intake } });
      vi.spyOn(worker, 'act').mockResolvedValue({ ok: false, message: 'scancel: error: no' });
      openConsole();
      cancelAll();
      await vi.waitFor(() =>
        expect(message()).toBe(
          `Not all of 1 run canceled. The console stays open${words}: scancel: error: no`,
        ),
      );
      expect(worker.commands).toEqual(commands);
      expect(worker.snapshot().health.intake).toBe(after);
      worker.show({ health: { inFlight: 0 } });
      expect(quits).toBe(0);
    },
  );

  test('restores the intake when canceling throws', async () => {
    worker.show({ runs: [fakeRun({ id: 'a' })] });
    vi.spyOn(worker, 'act').mockRejectedValue(new Error('it is stopping'));
    openConsole();
    cancelAll();
    await vi.waitFor(() => expect(message()).toContain('the intake is open again: it is stopping'));
    expect(worker.commands).toEqual(['drain', 'resume']);
  });

  test('keeps an intake that was paused in the meantime', async () => {
    worker.show({ runs: [fakeRun({ id: 'a' })] });
    vi.spyOn(worker, 'act').mockImplementation(async () => {
      worker.show({ health: { intake: 'paused' } });
      return { ok: false, message: 'no' };
    });
    openConsole();
    cancelAll();
    await vi.waitFor(() => expect(message()).toContain('console stays open: no'));
    expect(worker.commands).toEqual(['drain']);
  });

  test('does not cancel a run that ended while the question was open', async () => {
    worker.show({ runs: [fakeRun({ id: 'a' })] });
    openConsole();
    controller.press(['q']);
    controller.press(['c']);
    worker.show({
      runs: [fakeRun({ id: 'a', stage: 'finished', outcome: 'succeeded' })],
      health: { inFlight: 0 },
    });
    controller.press(['y']);
    await vi.waitFor(() => expect(choices).toEqual(['leave']));
    expect(worker.commands).toEqual(['drain']);
  });

  test('only offers to leave in a read-only console', () => {
    openConsole({ readOnly: true, workerLifetime: 'endsOrDetaches' });
    controller.press(['q']);
    controller.press(['c']);
    expect([context(), quits]).toEqual(['table', 0]);
    controller.press(['q']);
    controller.press(['k']);
    expect([context(), quits]).toEqual(['table', 0]);
    controller.press(['q']);
    controller.press(['l']);
    expect(choices).toEqual(['leave']);
  });

  test('quits at once if the worker continues', () => {
    openConsole({ workerLifetime: 'continues' });
    controller.press(['q']);
    expect(quits).toBe(1);
  });

  test('quits at once without runs in flight', () => {
    worker.show({ health: { inFlight: 0 } });
    openConsole();
    controller.press(['q']);
    expect(quits).toBe(1);
  });

  test.each(['table', 'filter', 'help', 'cancel'])(
    'Ctrl-C asks from %s, and the second one quits',
    (from) => {
      const opener: Record<string, string[]> = { table: [], filter: ['/'], help: ['?'], cancel: ['x'] };
      controller.press(opener[from] ?? []);
      controller.press(['ctrl-c']);
      expect([context(), quits]).toEqual(['quit', 0]);
      controller.press(['ctrl-c']);
      expect(quits).toBe(1);
    },
  );
});

describe('the filter', () => {
  test('takes keys as text until Enter or Esc', () => {
    controller.press(['/', 'x', 'q', 'space', 'p', 'backspace', 'up']);
    expect([context(), store.get().tables.jobs.query.text]).toEqual(['filter', 'xq ']);
    controller.press(['enter']);
    expect([context(), store.get().tables.jobs.query.text]).toEqual(['table', 'xq ']);
    controller.press(['/', 'esc']);
    expect([context(), store.get().tables.jobs.query.text]).toEqual(['table', '']);
  });

  test('accepts pasted text only while the filter is open', () => {
    controller.paste('xyq');
    expect([context(), quits, worker.commands]).toEqual(['table', 0, []]);
    controller.press(['/']);
    controller.paste('liver\ny');
    expect(store.get().tables.jobs.query.text).toBe('liver');
  });
});

test('l, Tab, f, w, ? and Esc work', () => {
  controller.press(['l']);
  expect(context()).toBe('log');
  controller.press(['tab']);
  expect(context()).toBe('table');
  controller.press(['tab', 'w', '?']);
  expect([context(), store.get().wrap]).toEqual(['help', true]);
  controller.press(['?']);
  expect(context()).toBe('log');
  controller.press(['esc']);
  expect(store.get().log).toBeNull();
});

describe('several rows', () => {
  beforeEach(() => {
    worker.show({
      runs: [
        fakeRun({ id: 'run-1', stage: 'running', jobId: '4711' }),
        fakeRun({ id: 'run-2', stage: 'queued', jobId: '4712', acceptedAt: 1 }),
        fakeRun({ id: 'run-3', stage: 'finished', outcome: 'failed', finishedAt: 2 }),
      ],
      jobs: { rows: [fakeJob({ id: '7', name: 'backup', submittedAt: 3 })] },
    });
    openConsole();
  });

  test('are canceled after one question about the unfinished ones', async () => {
    controller.press(['*']);
    controller.press(['x']);
    const { overlay } = store.get();
    expect(
      overlay.kind === 'confirm' && 'rows' in overlay.target && overlay.target.rows.map(({ id }) => id),
    ).toEqual(['run:run-1', 'job:7', 'run:run-2']);
    controller.press(['y']);
    await vi.waitFor(() => expect(message()).toBe('Cancel 3 rows: accepted'));
    expect(worker.commands).toEqual(['cancel run-1 run-2 7']);
  });

  test('show a refusal unchanged', async () => {
    worker.answerWith({ ok: false, message: 'Access denied' });
    controller.press(['*']);
    controller.press(['x']);
    controller.press(['y']);
    await vi.waitFor(() => expect(message()).toBe('Not canceled, 3 rows: Access denied'));
  });
});

function type(text: string): void {
  controller.press(Array.from(text, (one) => (one === ' ' ? 'space' : one)));
}

describe('the command line', () => {
  test('runs commands by name and alias', () => {
    controller.press([':']);
    expect(context()).toBe('command');
    type('worker');
    controller.press(['enter']);
    expect(store.get().place.view).toBe('worker');
    controller.press([':']);
    type('runs');
    controller.press(['enter']);
    expect(store.get().place.view).toBe('jobs');
    controller.press([':']);
    type('sort job desc');
    controller.press(['enter']);
    expect(store.get().tables.jobs.sorting).toEqual({ column: 'job', descending: true });
    controller.press([':']);
    type('columns job,title');
    controller.press(['enter']);
    expect(store.get().tables.jobs.columns).toEqual(['job', 'title']);
  });

  test('completes words and reports unknown commands', () => {
    controller.press([':']);
    type('wo');
    controller.press(['tab']);
    expect(store.get().overlay).toMatchObject({ kind: 'command', text: 'worker ' });
    controller.press(['esc']);
    controller.press([':']);
    type('sort par');
    controller.press(['tab']);
    expect(store.get().overlay).toMatchObject({ kind: 'command', text: 'sort partition ' });
    controller.press(['esc']);
    controller.press([':']);
    // completion ignores case
    type('signal us');
    controller.press(['tab']);
    expect(store.get().overlay).toMatchObject({ kind: 'command', text: 'signal USR' });
    controller.press(['esc']);
    controller.press([':']);
    type('wrong');
    controller.press(['tab']);
    expect(screenLines(store.get()).join('\n')).toContain(':wrong');
    expect(screenLines(store.get()).join('\n')).toContain('no such command');
    controller.press(['enter']);
    expect(message()).toContain('Unknown command "wrong"');
  });

  test('opens and closes logs only in the table of runs and jobs', () => {
    line('log');
    expect(context()).toBe('log');
    line('log');
    expect(store.get().log).toBeNull();
    line('nodes');
    line('log');
    expect([store.get().log, message()]).toEqual([
      null,
      'Logs open in the table of runs and jobs. Press 1 to go there.',
    ]);
  });

  test('says when no more columns fit', () => {
    controller.press(['w']);
    expect([store.get().tables.jobs.wide, message()]).toEqual([
      true,
      'No more columns fit. Use a wider terminal, or choose with :columns.',
    ]);
    controller.press(['w']);
    store.dispatch({ type: 'tick', now: 10_000 });
    store.dispatch({ type: 'resized', size: { columns: 160, rows: 24 } });
    controller.press(['w']);
    expect([store.get().tables.jobs.wide, message()]).toEqual([true, undefined]);
    controller.press(['w']);
    store.dispatch({ type: 'resized', size: { columns: 300, rows: 24 } });
    controller.press(['w']);
    expect(message()).toBe('All columns are visible.');
  });

  test('has no dangerous commands in a read-only console', () => {
    openConsole({ readOnly: true });
    for (const line of ['cancel', 'scancel', 'hold', 'requeue', 'signal TERM', 'pause', 'resume']) {
      controller.press([':']);
      type(line);
      controller.press(['enter']);
      expect(message()).toContain('This console is read-only.');
    }
    expect(context()).toBe('table');
    expect(worker.commands).toEqual([]);
  });

  test('drains the worker, and the header shows when it is drained', async () => {
    controller.press([':']);
    type('drain');
    controller.press(['enter']);
    await vi.waitFor(() => expect(worker.commands).toEqual(['drain']));
    worker.show({ health: { intake: 'draining', drainedAt: null } });
    const header = (): string => {
      store.dispatch({ type: 'snapshot', snapshot: worker.snapshot(), now: 0 });
      const { spans } = statusLine(store.get(), chooseTheme({}));
      return spans.map((each) => each.text).join('');
    };
    expect(header()).toContain('intake draining');
    worker.show({ health: { drainedAt: 5 } });
    expect(header()).toContain('intake drained');
    // p resumes the intake
    controller.press(['p']);
    await vi.waitFor(() => expect(worker.commands).toEqual(['drain', 'resume']));
  });

  test('Shift and a letter sorts by its column', () => {
    controller.press(['D']);
    expect(store.get().tables.jobs.sorting).toEqual({ column: 'title', descending: false });
    controller.press(['S']);
    expect(store.get().tables.jobs.sorting).toEqual({ column: 'title', descending: true });
  });
});

function line(text: string): void {
  controller.press([':']);
  type(text);
  controller.press(['enter']);
}

describe('copy and export', () => {
  test('copies the job ids of the selected or marked rows', () => {
    controller.press(['y']);
    expect(copied).toEqual(['4711']);
    expect(message()).toContain('Sent to the clipboard: 4711');
  });

  test('exports the visible rows as CSV or JSON', async () => {
    worker.show({ runs: [fakeRun({ id: 'run-1', stage: 'running', jobId: '4711', title: '=1+"2", x' })] });
    openConsole();
    line('columns job,title');
    line('export csv out.csv');
    await vi.waitFor(() => expect(message()).toBe('1 row written to /here/out.csv'));
    expect(saved).toEqual([{ name: 'out.csv', text: 'job,title\r\n4711,"\'=1+""2"", x"\r\n' }]);
    line('export json x.json');
    await vi.waitFor(() => expect(saved).toHaveLength(2));
    expect(JSON.parse(saved[1]?.text ?? '')).toEqual({ at: 0, rows: [{ job: '4711', title: '=1+"2", x' }] });
    line('export xml');
    expect(message()).toBe('Use :export csv or :export json.');
  });
});
