import { describe, expect, test } from 'vitest';
import { initialState, reduce } from '../../../../src/console/state/reducer.js';
import type { Action } from '../../../../src/console/state/action.js';
import {
  contextOf,
  actionRows,
  selectedRow,
  type ConsoleState,
} from '../../../../src/console/state/state.js';
import type { RunView, WorkerSnapshot } from '../../../../src/worker/views/handle.js';
import { createFakeWorker, fakeRun } from '../../../support/fake-worker-handle.js';

function snapshotOf(runs: readonly RunView[]): WorkerSnapshot {
  const worker = createFakeWorker();
  worker.show({ runs });
  return worker.snapshot();
}

function waiting(count: number, first = 0): RunView[] {
  return Array.from({ length: count }, (_, index) =>
    fakeRun({ id: String(first + index), acceptedAt: first + index }),
  );
}

function stateOf(runs: readonly RunView[], rows = 24): ConsoleState {
  return initialState({ snapshot: snapshotOf(runs), now: 0, size: { columns: 80, rows } });
}

const after = (state: ConsoleState, ...actions: Action[]): ConsoleState => actions.reduce(reduce, state);
const selected = (state: ConsoleState): string | undefined => selectedRow(state)?.id;

const lines = (count: number): string[] => Array.from({ length: count }, (_, index) => `line ${index}`);
const open = (tail: { lines: string[]; lost: number }): ConsoleState =>
  after(
    stateOf([fakeRun({ id: 'a', stage: 'running' }), fakeRun({ id: 'b', acceptedAt: 1 })]),
    { type: 'logToggled' },
    { type: 'tailReceived', logId: 'a', tail },
  );

describe('the selection', () => {
  test('moves by lines and pages within the list', () => {
    const state = stateOf(waiting(40));
    expect(selected(state)).toBe('run:0');
    expect(selected(after(state, { type: 'cursorMoved', move: 'up' }))).toBe('run:0');
    expect(selected(after(state, { type: 'cursorMoved', move: 'down' }))).toBe('run:1');
    expect(selected(after(state, { type: 'cursorMoved', move: 'last' }))).toBe('run:39');
    expect(
      selected(after(state, { type: 'cursorMoved', move: 'last' }, { type: 'cursorMoved', move: 'down' })),
    ).toBe('run:39');
    expect(selected(after(state, { type: 'cursorMoved', move: 'pageDown' }))).toBe('run:14');
    expect(
      selected(after(state, { type: 'cursorMoved', move: 'last' }, { type: 'cursorMoved', move: 'first' })),
    ).toBe('run:0');
  });

  test('scrolls as little as necessary', () => {
    const bottom = after(stateOf(waiting(40)), { type: 'cursorMoved', move: 'last' });
    expect(bottom.tables.jobs.position).toEqual({ selected: 'run:39', index: 39, top: 25 });
    const higher = after(bottom, { type: 'cursorMoved', move: 'up' });
    expect(higher.tables.jobs.position.top).toBe(25);
  });

  test('stays on its run when rows above change', () => {
    const state = after(
      stateOf(waiting(10, 5)),
      { type: 'cursorMoved', move: 'down' },
      { type: 'cursorMoved', move: 'down' },
    );
    expect(selected(state)).toBe('run:7');
    const more = after(state, {
      type: 'snapshot',
      snapshot: snapshotOf([...waiting(5), ...waiting(10, 5)]),
      now: 1,
    });
    expect(selected(more)).toBe('run:7');
    expect(more.tables.jobs.position.index).toBe(7);
  });

  test('stays at the top until moved, even if many rows appear above', () => {
    const many = { type: 'snapshot', now: 1, snapshot: snapshotOf(waiting(60)) } as const;
    const start = stateOf(waiting(10, 50));
    const { position } = after(start, many).tables.jobs;
    expect(position).toEqual({ selected: 'run:0', index: 0, top: 0 });

    const few = { ...many, snapshot: snapshotOf(waiting(12, 48)) };
    expect(selected(after(start, few))).toBe('run:50');
    const moved = after(
      start,
      { type: 'cursorMoved', move: 'down' },
      { type: 'cursorMoved', move: 'up' },
      many,
    );
    expect(selected(moved)).toBe('run:50');
    for (const held of [{ type: 'logToggled' }, { type: 'menuOpened', index: 0 }] as const) {
      expect(selected(after(start, held, many)), held.type).toBe('run:50');
    }
  });

  test('keeps the scroll position under help, page and full-screen log', () => {
    const low = after(
      stateOf(waiting(60)),
      ...Array.from({ length: 20 }, (): Action => ({ type: 'cursorMoved', move: 'down' })),
    );
    const { position } = low.tables.jobs;
    expect(position).toEqual({ selected: 'run:20', index: 20, top: 6 });
    const tick = { type: 'snapshot', snapshot: snapshotOf(waiting(60)), now: 1 } as const;
    const help = after(low, { type: 'helpOpened' }, tick, { type: 'back' });
    expect(help.tables.jobs.position).toEqual(position);
    const page = after(
      low,
      { type: 'navigated', deeper: true, place: { view: 'job', rowId: 'run:20', top: 0 } },
      tick,
      {
        type: 'back',
      },
    );
    expect(page.tables.jobs.position).toEqual(position);
    const pane = after(low, { type: 'logToggled' });
    const whole = after(pane, { type: 'fullScreenToggled' }, tick, { type: 'fullScreenToggled' });
    expect(whole.tables.jobs.position).toEqual(pane.tables.jobs.position);
  });

  test('goes to the neighbor when its run disappears', () => {
    const state = after(stateOf(waiting(10)), { type: 'cursorMoved', move: 'down' });
    const gone = after(state, { type: 'snapshot', snapshot: snapshotOf(waiting(8, 2)), now: 1 });
    expect(selected(gone)).toBe('run:3');
    const none = after(gone, { type: 'snapshot', snapshot: snapshotOf([]), now: 2 });
    expect(selected(none)).toBeUndefined();
    expect(after(none, { type: 'cursorMoved', move: 'down' })).toBe(none);
  });

  test('stays visible when the terminal shrinks', () => {
    const state = after(stateOf(waiting(40), 50), { type: 'cursorMoved', move: 'last' });
    const small = after(state, { type: 'resized', size: { columns: 80, rows: 14 } });
    const { index, top } = small.tables.jobs.position;
    expect(index).toBe(39);
    expect(top + 7).toBeGreaterThan(39);
  });
});

describe('nothing changed', () => {
  test.each<Action>([
    { type: 'tick', now: 0 },
    { type: 'resized', size: { columns: 80, rows: 24 } },
    { type: 'cursorMoved', move: 'up' },
    { type: 'back' },
    { type: 'keyPressed' },
    { type: 'focusToggled' },
    { type: 'followToggled' },
    { type: 'tailReceived', logId: '0', tail: { lines: [], lost: 0 } },
  ])('%j gives the same state', (action) => {
    const state = stateOf(waiting(3));
    expect(reduce(state, action)).toBe(state);
  });

  test('the same snapshot again gives the same state', () => {
    const state = stateOf(waiting(3));
    expect(reduce(state, { type: 'snapshot', snapshot: state.snapshot, now: 0 })).toBe(state);
  });
});

describe('the filter', () => {
  test('can be typed, erased, kept and cleared', () => {
    const runs = [fakeRun({ id: 'a', title: 'liver' }), fakeRun({ id: 'b', title: 'lung', acceptedAt: 1 })];
    const typing = after(stateOf(runs), { type: 'filterOpened' }, { type: 'filterTyped', text: 'lunx' });
    expect(contextOf(typing)).toBe('filter');
    expect(typing.tables.jobs.shown).toHaveLength(0);
    const erased = after(typing, { type: 'filterErased' });
    expect(erased.tables.jobs.shown.map(({ id }) => id)).toEqual(['run:b']);
    expect(selected(erased)).toBe('run:b');
    const kept = after(erased, { type: 'filterKept' });
    expect([contextOf(kept), kept.tables.jobs.query.text]).toEqual(['table', 'lun']);
    expect(after(kept, { type: 'back' }).tables.jobs.shown).toHaveLength(2);
  });
});

const marked = (state: ConsoleState): string[] => [...state.tables.jobs.marked].sort();
const shownIds = (state: ConsoleState): string[] => state.tables.jobs.shown.map(({ id }) => id);

describe('sorting', () => {
  const runs = [
    fakeRun({ id: 'a', title: 'slide 10' }),
    fakeRun({ id: 'b', title: null, acceptedAt: 1 }),
    fakeRun({ id: 'c', title: 'slide 9', acceptedAt: 2 }),
  ];

  test('sorts by a column, reversed, and in default order, with missing values last', () => {
    const up = after(stateOf(runs), { type: 'sortedBy', column: 'title' });
    expect(shownIds(up)).toEqual(['run:c', 'run:a', 'run:b']);
    const down = after(up, { type: 'sortedBy', column: 'title' });
    expect(shownIds(down)).toEqual(['run:a', 'run:c', 'run:b']);
    expect(shownIds(after(down, { type: 'sortedBy', column: null }))).toEqual(['run:a', 'run:b', 'run:c']);
  });

  test('keeps the selection on its row', () => {
    const state = after(
      stateOf(runs),
      { type: 'cursorMoved', move: 'last' },
      { type: 'sortedBy', column: 'title' },
    );
    expect([selected(state), state.tables.jobs.position.index]).toEqual(['run:c', 0]);
  });
});

describe('marks', () => {
  test('can be set singly, as a range and for all, and Esc clears them', () => {
    const one = after(stateOf(waiting(6)), { type: 'markToggled' });
    expect(marked(one)).toEqual(['run:0']);
    expect(selected(one)).toBe('run:1');
    const range = after(one, { type: 'cursorMoved', move: 'down' }, { type: 'rangeMarked' });
    expect(marked(range)).toEqual(['run:0', 'run:1', 'run:2']);
    expect(actionRows(range).map(({ id }) => id)).toEqual(['run:0', 'run:1', 'run:2']);
    const all = after(range, { type: 'allMarked' });
    expect(marked(all)).toHaveLength(6);
    expect(marked(after(all, { type: 'allMarked' }))).toEqual([]);
    expect(marked(after(range, { type: 'back' }))).toEqual([]);
  });

  test('disappear with their rows', () => {
    const state = after(stateOf(waiting(3)), { type: 'allMarked' });
    const fewer = after(state, { type: 'snapshot', snapshot: snapshotOf(waiting(1)), now: 1 });
    expect([...fewer.tables.jobs.marked]).toEqual(['run:0']);
  });
});

test('a frozen screen keeps its rows until it is unfrozen', () => {
  const frozen = after(stateOf(waiting(2)), { type: 'freezeToggled' });
  const later = after(frozen, { type: 'snapshot', snapshot: snapshotOf(waiting(5)), now: 9 });
  expect(shownIds(later)).toHaveLength(2);
  expect(shownIds(after(later, { type: 'freezeToggled' }))).toHaveLength(5);
});

test('errors only keeps failed rows', () => {
  const failed = fakeRun({ id: 'f', stage: 'finished', outcome: 'failed', finishedAt: 1 });
  const state = after(stateOf([...waiting(3), failed]), { type: 'errorsToggled' });
  expect(shownIds(state)).toEqual(['run:f']);
  expect(shownIds(after(state, { type: 'back' }))).toHaveLength(4);
});

test('a page scrolls by lines and Esc goes back to the table', () => {
  const state = after(stateOf(waiting(2), 16), {
    type: 'navigated',
    place: { view: 'job', rowId: 'run:1', top: 0 },
  });
  expect(contextOf(state)).toBe('page');
  const end = after(state, { type: 'cursorMoved', move: 'last' });
  expect(end.place).toMatchObject({ top: expect.any(Number) });
  expect(after(end, { type: 'cursorMoved', move: 'down' })).toBe(end);
  expect(contextOf(after(end, { type: 'back' }))).toBe('table');
});

describe('the log pane', () => {
  test('follows the end until scrolled up, then keeps its lines', () => {
    const following = open({ lines: lines(100), lost: 0 });
    expect(following.log?.end).toBeNull();
    const up = after(following, { type: 'cursorMoved', move: 'up' });
    expect(up.log?.end).toBe(99);
    const more = after(up, { type: 'tailReceived', logId: 'a', tail: { lines: lines(100), lost: 50 } });
    expect(more.log?.end).toBe(99);
    expect(after(more, { type: 'followToggled' }).log?.end).toBeNull();
    expect(after(up, { type: 'cursorMoved', move: 'down' }).log?.end).toBeNull();
  });

  test('does not scroll past its first line', () => {
    const top = after(open({ lines: lines(100), lost: 0 }), { type: 'cursorMoved', move: 'first' });
    expect(top.log?.end).toBe(8);
    expect(after(top, { type: 'cursorMoved', move: 'up' })).toBe(top);
    const short = open({ lines: lines(3), lost: 0 });
    expect(after(short, { type: 'cursorMoved', move: 'up' })).toBe(short);
  });

  test('follows a restarted log again', () => {
    const up = after(open({ lines: lines(100), lost: 0 }), { type: 'cursorMoved', move: 'up' });
    expect(
      after(up, { type: 'tailReceived', logId: 'a', tail: { lines: lines(3), lost: 0 } }).log?.end,
    ).toBeNull();
  });

  test('changes with the selection and ignores lines of other runs', () => {
    const state = after(
      open({ lines: lines(5), lost: 0 }),
      { type: 'focusToggled' },
      { type: 'cursorMoved', move: 'down' },
    );
    expect(state.log).toMatchObject({ logId: 'b', tail: null });
    expect(after(state, { type: 'tailReceived', logId: 'a', tail: { lines: lines(6), lost: 0 } })).toBe(
      state,
    );
    expect(after(state, { type: 'back' }).log).toBeNull();
  });
});

describe('the message line', () => {
  test('clears a message after its time, and an error with the next key', () => {
    const state = stateOf([]);
    const shown = after(state, {
      type: 'messageShown',
      message: { tone: 'good', text: 'done', until: 5_000 },
    });
    expect(after(shown, { type: 'keyPressed' }, { type: 'tick', now: 4_999 }).message).not.toBeNull();
    expect(after(shown, { type: 'tick', now: 5_000 }).message).toBeNull();
    const failed = after(state, { type: 'messageShown', message: { tone: 'bad', text: 'no', until: null } });
    expect(after(failed, { type: 'tick', now: 1e9 }).message).not.toBeNull();
    expect(after(failed, { type: 'keyPressed' }).message).toBeNull();
  });
});
