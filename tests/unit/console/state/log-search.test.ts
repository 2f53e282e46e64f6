import { beforeEach, describe, expect, test } from 'vitest';
import { createController, type Controller } from '../../../../src/console/commands/controller.js';
import { keyNames } from '../../../../src/console/terminal/keys.js';
import { errorPattern, findLine, parseSearch } from '../../../../src/console/state/log-search.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { contextOf, type LogPane } from '../../../../src/console/state/state.js';
import { createStore } from '../../../../src/console/state/store.js';
import type { Store } from '../../../../src/console/state/action.js';
import { screenLines } from '../../../support/screen-lines.js';
import { createFakeWorker, fakeRun } from '../../../support/fake-worker-handle.js';

function matches(typed: string, line: string): boolean {
  const search = parseSearch(typed);
  if (typeof search === 'string') throw new Error(search);
  return search.expression.test(line);
}

describe('readSearch', () => {
  test.each([
    ['tile 7', 'Tile 7 of 9', true],
    ['a.c', 'abc', false],
    ['a.c', 'A.C', true],
    ['(50%', 'done (50%', true],
    ['/tile \\d+$/', 'Tile 12', true],
    ['/tmp/in', 'reads /tmp/in/x', true],
    ['/', 'a/b', true],
  ])('%j in %j: %j', (typed, line, expected) => {
    expect(matches(typed, line)).toBe(expected);
  });

  test('reports an invalid regular expression', () => {
    expect(parseSearch('/(/')).toBe('"(" is not a valid regular expression.');
  });
});

test.each([
  ['slurmstepd: error: Detected 1 oom_kill event', true],
  ['Traceback (most recent call last):', true],
  ['Killed', true],
  ['Out of memory: process 7', true],
  ['mirror terrors skilled fatality', false],
])('%j looks like an error: %j', (line, expected) => {
  expect(errorPattern.test(line)).toBe(expected);
});

describe('findLine', () => {
  // numbered 10 to 14
  const tail = { lines: ['x', 'y', 'x', 'y', 'z'], lost: 10 };
  test.each([
    [/x/u, 10, 1, { line: 10, wrapped: false }],
    [/x/u, 11, 1, { line: 12, wrapped: false }],
    [/x/u, 13, 1, { line: 10, wrapped: true }],
    [/z/u, 15, 1, { line: 14, wrapped: true }],
    [/x/u, 3, 1, { line: 10, wrapped: false }],
    [/x/u, 11, -1, { line: 10, wrapped: false }],
    [/y/u, 10, -1, { line: 13, wrapped: true }],
    [/z/u, 9, -1, { line: 14, wrapped: true }],
    [/q/u, 12, 1, null],
  ] as const)('%s from %i on, %i', (expression, start, direction, expected) => {
    expect(findLine(tail, expression, start, direction)).toEqual(expected);
  });

  test('finds nothing in an empty log, and ignores color codes', () => {
    expect(findLine({ lines: [], lost: 0 }, /x/u, 0, 1)).toBeNull();
    expect(findLine({ lines: ['er\u001B[31mror'], lost: 0 }, errorPattern, 0, 1)?.line).toBe(0);
  });
});

let store: Store;
let controller: Controller;

beforeEach(() => {
  const worker = createFakeWorker();
  worker.show({ runs: [fakeRun({ id: 'a', stage: 'running' }), fakeRun({ id: 'b', acceptedAt: 1 })] });
  store = createStore(initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 24 } }));
  controller = createController({
    handle: worker,
    store,
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
    quit: () => {},
    host: { saveFile: async (name) => name, copyToClipboard: () => {}, openPager: async () => null },
  });
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
  lines[20] = 'Error: no slide';
  lines[60] = 'killed';
  controller.press(['l']);
  store.dispatch({ type: 'tailReceived', logId: 'a', tail: { lines, lost: 0 } });
});

const log = (): LogPane | null => store.get().log;
const hit = (): number | null | undefined => log()?.hit;
const message = (): string | undefined => store.get().message?.text;

function rows(): string[] {
  return screenLines(store.get());
}

describe('a search in the log', () => {
  test('stops following and marks the hit; n and N wrap around', () => {
    controller.press([...keyNames('/line 4', {}), 'enter']);
    // searches from the visible lines, the end of the log
    expect([hit(), message()]).toEqual([4, 'Search continued from the beginning.']);
    expect(log()?.end).not.toBeNull();
    expect(rows()).toContain('▸line 4');
    controller.press(['n']);
    expect(hit()).toBe(40);
    expect(rows()).toContain('▸line 40');
    controller.press(['n', 'N', 'N']);
    expect(hit()).toBe(4);
    controller.press(['N']);
    expect([hit(), message()]).toEqual([49, 'Search continued from the end.']);
    expect(rows()).toHaveLength(23);
  });

  test("edits and cancels the search line without changing the table's filter", () => {
    controller.press([...keyNames('/ab', {}), 'backspace']);
    expect(rows().at(-2)).toMatch(/^ search \/a█/u);
    controller.press(['esc']);
    expect([contextOf(store.get()), hit(), store.get().tables.jobs.query.text]).toEqual(['log', null, '']);
  });

  test('Esc ends the search, then closes the log; an empty search also ends it', () => {
    controller.press([...keyNames('/line 4', {}), 'enter', 'esc']);
    expect([log()?.search, hit()]).toEqual([null, null]);
    controller.press([...keyNames('/line 4', {}), 'enter', '/', 'enter']);
    expect(log()?.search).toBeNull();
    controller.press(['n']);
    expect(message()).toBe('No search is active. Press / to search.');
    controller.press(['esc']);
    expect(log()).toBeNull();
  });

  test('reports a missing text or an invalid expression without scrolling', () => {
    controller.press([...keyNames('/nowhere', {}), 'enter']);
    expect([message(), log()?.end]).toEqual(['No "nowhere" in the loaded lines.', null]);
    controller.press([...keyNames('//(/', {}), 'enter']);
    expect(message()).toBe('"(" is not a valid regular expression.');
  });

  test('scrolls to a hit in wrapped lines', () => {
    const lines = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(60));
    store.dispatch({ type: 'tailReceived', logId: 'a', tail: { lines, lost: 0 } });
    controller.press(['w', ...keyNames('/33 33', {}), 'enter']);
    expect(rows().some((row) => row.startsWith('▸33 33'))).toBe(true);
  });

  test('drops the hit when the log is restarted', () => {
    controller.press([...keyNames('/line 40', {}), 'enter']);
    store.dispatch({ type: 'tailReceived', logId: 'a', tail: { lines: ['new'], lost: 0 } });
    expect([hit(), log()?.end]).toEqual([null, null]);
  });
});

test('E goes to the next error and wraps around', () => {
  controller.press(['E']);
  expect([hit(), message()]).toEqual([20, 'Search continued from the beginning.']);
  expect(rows()).toContain('▸Error: no slide');
  controller.press(['E']);
  expect(hit()).toBe(60);
  controller.press(['E']);
  expect(hit()).toBe(20);
});

test('F shows the log full-screen, and Esc or Tab restores the table', () => {
  const before = rows();
  controller.press(['F']);
  expect(rows()).toHaveLength(before.length);
  expect(rows().filter((row) => row.startsWith(' line '))).toHaveLength(15);
  expect(rows().join('\n')).not.toContain('STATE');
  controller.press(['esc']);
  expect(rows()).toEqual(before);
  controller.press(['F', 'tab']);
  expect([log()?.fullScreen, contextOf(store.get())]).toEqual([false, 'table']);
});
