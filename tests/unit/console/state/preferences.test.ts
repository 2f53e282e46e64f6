import { expect, test } from 'vitest';
import { defaultPreferences, preferencesOf } from '../../../../src/console/state/preferences.js';
import { initialState } from '../../../../src/console/state/reducer.js';
import { createFakeWorker, fakeJob, fakeRun } from '../../../support/fake-worker-handle.js';
import { openConsole } from '../opened-console.js';

const size = { columns: 120, rows: 24 };

test('changes of scope, columns, order, packing and log options are reported', () => {
  const worker = createFakeWorker();
  worker.show({ runs: [fakeRun({ id: 'a', stage: 'running' })] });
  const console = openConsole(worker, size);
  expect(console.preferred).toEqual([]);
  console.press('m');
  expect(console.preferred.at(-1)).toEqual({ ...defaultPreferences, pane: false, scope: 'dsa' });
  console.press('3', 's', 'S', 'w', '1');
  expect(console.preferred.at(-1)).toMatchObject({
    sorting: { nodes: { column: expect.any(String), descending: true } },
    wide: ['nodes'],
  });
  console.type(':columns job,title');
  console.press('enter', 'l', 'w', 't');
  const { columns, wrap, timestamps: stamps } = console.preferred.at(-1) ?? defaultPreferences;
  expect([columns, wrap, stamps]).toEqual([{ jobs: ['job', 'title'] }, true, true]);
  // w resets the chosen columns
  console.press('tab', 'w');
  expect(console.preferred.at(-1)).toMatchObject({ columns: {}, wide: ['jobs', 'nodes'] });
});

test('filters, marks and the cursor are not preferences', () => {
  const worker = createFakeWorker();
  worker.show({ jobs: { rows: [fakeJob({ id: '1' }), fakeJob({ id: '2' })] } });
  const console = openConsole(worker, size);
  console.press('/', '1', 'enter', 'e', 'v', 'space', 'z', 'down', 'l', '?', 'esc');
  expect(console.preferred).toEqual([]);
});

test('the next console starts with the preferences', () => {
  const preferences = {
    ...defaultPreferences,
    scope: 'all' as const,
    wrap: true,
    wide: ['jobs' as const],
    columns: { nodes: ['node'] },
    sorting: { history: { column: 'waiting', descending: true } },
  };
  const state = initialState({ snapshot: createFakeWorker().snapshot(), now: 0, size, preferences });
  expect(preferencesOf(state)).toEqual(preferences);
});
