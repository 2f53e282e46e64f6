import { expect, test } from 'vitest';

import { initialState, reduce } from '../../../../src/console/state/reducer.js';
import { createFakeWorker, fakeRun } from '../../../support/fake-worker-handle.js';

test.each(['/(a+)+x$/', 'title~(a+)+x$', 'title=*a*a*a*a*a*a*a*a*x'])(
  'a filter that takes too long, %s, is reported and ignored, and can be corrected',
  (text) => {
    const worker = createFakeWorker();
    worker.show({
      runs: [fakeRun({ id: 'run-1', title: `${'a'.repeat(3_000)}!` }), fakeRun({ id: 'run-2' })],
    });
    const begun = initialState({ snapshot: worker.snapshot(), now: 0, size: { columns: 80, rows: 24 } });
    const slow = reduce(begun, { type: 'filterSet', text });
    expect(slow.tables.jobs.query).toMatchObject({
      text,
      problem: expect.stringContaining('takes too long'),
    });
    expect(slow.tables.jobs.shown).toHaveLength(2);
    // not repeated every second
    expect(reduce(slow, { type: 'tick', now: 1_000 }).tables.jobs).toBe(slow.tables.jobs);
    const mended = reduce(slow, { type: 'filterSet', text: '/run-2/' });
    expect(mended.tables.jobs).toMatchObject({ query: { problem: null } });
    expect(mended.tables.jobs.shown).toHaveLength(1);
  },
);
