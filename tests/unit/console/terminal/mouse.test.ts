import { describe, expect, test } from 'vitest';
import { createController, type Controller } from '../../../../src/console/commands/controller.js';
import type { Store } from '../../../../src/console/state/action.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { createStore } from '../../../../src/console/state/store.js';
import { parseMouse } from '../../../../src/console/terminal/mouse.js';
import { systemClock } from '../../../../src/base/clock.js';
import { createFakeWorker, fakeRun } from '../../../support/fake-worker-handle.js';
import { screenLines } from '../../../support/screen-lines.js';

function open(columns: number): { store: Store; controller: Controller } {
  const worker = createFakeWorker();
  const runs = Array.from({ length: 50 }, (_, index) => fakeRun({ id: `run-${index}`, acceptedAt: index }));
  worker.show({ runs });
  const store = createStore(
    initialState({ snapshot: worker.snapshot(), now: 0, size: { columns, rows: 24 } }),
  );
  const host = {
    saveFile: async (name: string) => name,
    copyToClipboard: () => {},
    openPager: async () => null,
  };
  const controller = createController({ handle: worker, store, clock: systemClock, quit: () => {}, host });
  return { store, controller };
}

test.each([
  ['[<0;12;5M', { kind: 'press', column: 11, row: 4 }],
  ['[<64;1;1M', { kind: 'wheelUp', column: 0, row: 0 }],
  ['[<65;1;1M', { kind: 'wheelDown', column: 0, row: 0 }],
  ['[<0;12;5m', 'ignored'],
  ['[<35;12;5M', 'ignored'],
  ['x', null],
  ['[<0;12', null],
] as const)('%s is %j', (input, event) => {
  expect(parseMouse(input)).toEqual(event);
});

describe('a click', () => {
  test.each([60, 80, 140])('on a tab opens its view, at %d columns', (columns) => {
    const { store, controller } = open(columns);
    const [tabs = ''] = screenLines(store.get());
    controller.mouse({ kind: 'press', column: tabs.indexOf('4 part') + 2, row: 0 });
    expect(store.get().place).toEqual({ view: 'partitions' });
  });

  test('on a row selects it, and opens the selected one', () => {
    const { store, controller } = open(140);
    const row = screenLines(store.get()).findIndex((line) => line.startsWith('▸'));
    controller.mouse({ kind: 'press', column: 5, row: row + 3 });
    expect(store.get().tables.jobs.position.index).toBe(3);
    controller.mouse({ kind: 'press', column: 130, row: row + 1 });
    expect(store.get().tables.jobs.position.index).toBe(3);
    controller.mouse({ kind: 'press', column: 5, row: row + 3 });
    expect(store.get().place).toMatchObject({ view: 'job', rowId: 'run:run-3' });
  });

  test('answers no question', () => {
    const { store, controller } = open(140);
    controller.press(['x']);
    controller.mouse({ kind: 'press', column: 5, row: 6 });
    expect(store.get().overlay.kind).toBe('confirm');
  });
});

test('the wheel scrolls', () => {
  const { store, controller } = open(80);
  controller.mouse({ kind: 'wheelDown', column: 0, row: 9 });
  expect(store.get().tables.jobs.position.index).toBe(3);
});
