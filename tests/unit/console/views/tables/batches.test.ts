import { beforeEach, describe, expect, test } from 'vitest';

import type { Action } from '../../../../../src/console/state/action.js';
import { chooseTheme } from '../../../../../src/console/terminal/theme.js';
import { batchBar } from '../../../../../src/console/views/tables/batches.js';
import type { Batch } from '../../../../../src/worker/batches/summary.js';
import { createFakeWorker, fakeRun, type FakeWorker } from '../../../../support/fake-worker-handle.js';
import { openConsole, type OpenedConsole } from '../../opened-console.js';

const now = 100 * 3_600_000;
const gigabyte = 1024 ** 3;

function someBatch(parts: Partial<Batch> = {}): Batch {
  return {
    id: 'aaaaaaaa-1',
    user: 'ada',
    image: 'example/cells:v1',
    cli: 'Cells',
    title: 'Detect cells',
    firstAt: now - 3_600_000,
    lastAt: now - 3_600_000,
    endedAt: null,
    total: 2_000,
    done: 1_204,
    succeeded: 1_092,
    failed: 112,
    canceled: 0,
    running: 40,
    waiting: 756,
    slidesPerHour: 1_204,
    expectedEnd: now + 40 * 60_000,
    time: { median: 240_000, worst: 1_860_000, count: 1_092 },
    memory: { median: 2.1 * gigabyte, worst: 3.9 * gigabyte, count: 1_204 },
    requestedMemory: 4 * gigabyte,
    failures: [
      {
        kind: 'memory',
        count: 112,
        reason: 'out of memory at 4G',
        suggestion: 'start them with --slurm_mem 8G',
        runs: ['bad-1', 'bad-2'],
      },
    ],
    runs: ['bad-1', 'bad-2', 'open-1'],
    unfinished: ['open-1'],
    ...parts,
  };
}

const shown = (...rows: readonly Batch[]): Action => ({
  type: 'liveViewChanged',
  name: 'batches',
  view: { rows, at: now, problem: null },
  now,
});

let worker: FakeWorker;
let console: OpenedConsole;
const saved: [name: string, text: string][] = [];

beforeEach(() => {
  saved.length = 0;
  worker = createFakeWorker(now);
  worker.show({
    runs: [
      fakeRun({ id: 'bad-1', stage: 'finished', outcome: 'failed', title: '=Liver', jobId: '7' }),
      fakeRun({ id: 'open-1', title: 'Lung' }),
      fakeRun({ id: 'other', title: 'Kidney' }),
    ],
  });
  console = openConsole(
    worker,
    { columns: 150, rows: 40 },
    {
      host: {
        saveFile: async (name, text) => {
          saved.push([name, text]);
          return name;
        },
        copyToClipboard: () => undefined,
        openPager: async () => null,
      },
    },
  );
  console.press('2');
  console.dispatch(shown(someBatch()));
});

describe('the batches', () => {
  test('are listed with a bar, their failures and their expected end', () => {
    const text = console.text();
    expect(text).toContain('› batches');
    expect(text).toMatch(/▸Detect cells +━.* 60% +1,204\/2,000 +112 .*in 40m/u);
    expect(text).toContain('inferred');
  });

  test('have a page with what slides take, and failures by reason with a suggestion', () => {
    console.press('b');
    const text = console.text();
    expect(text).toContain('1,204 of 2,000 done: 1,092 succeeded, 112 failed, 0 canceled');
    expect(text).toMatch(/memory +2\.1G, 3\.9G of 4G/u);
    expect(text).toContain('112 x out of memory at 4G');
    expect(text).toContain('start them with --slurm_mem 8G');
    expect(text).toContain('Inferred: Girder does not mark batches.');
    console.press('esc');
    expect(console.state().place).toEqual({ view: 'batches' });
  });

  test('open their runs with Enter, and Esc goes back', () => {
    console.press('enter');
    expect(console.state().place).toMatchObject({ view: 'jobs' });
    expect(console.state().tables.jobs.shown.map(({ id }) => id)).toEqual(['run:open-1', 'run:bad-1']);
    expect(console.text()).not.toContain('Kidney');
    console.press('esc');
    expect(console.state().place).toEqual({ view: 'batches' });
    console.press('1');
    expect(console.state().tables.jobs.shown).toHaveLength(3);
  });

  test('are canceled as far as they are left, after a question', async () => {
    console.press('x');
    expect(console.text()).toContain('Cancel 1 unfinished slide?');
    console.press('n');
    expect(worker.commands).toEqual([]);
    console.press('x', 'y');
    expect(worker.commands).toEqual(['cancel open-1']);
  });

  test('have their failed slides retried, after a question', () => {
    console.press('R');
    expect(console.text()).toContain('Run 2 failed slides again?');
    console.press('y');
    expect(worker.commands).toEqual(['retry bad-1 bad-2']);
  });

  test('say why there is nothing to do', () => {
    console.dispatch(shown(someBatch({ unfinished: [], failures: [], failed: 0 })));
    console.press('x');
    expect(console.text()).toContain('Nothing to cancel: all slides of this batch have ended.');
    console.press('R');
    expect(console.text()).toContain('Nothing to retry: no slide of this batch has failed.');
  });

  test('export their failures by reason, without formulas', () => {
    console.press('f');
    expect(saved[0]?.[0]).toMatch(/^dsa-slurm-failures-.*\.csv$/);
    expect(saved[0]?.[1].split('\r\n')).toEqual([
      'run,girder_job,slurm_job,title,reason',
      "bad-1,,7,'=Liver,out of memory at 4G",
      'bad-2,,,,out of memory at 4G',
      '',
    ]);
  });

  test('say why there are none', () => {
    console.dispatch(shown());
    expect(console.text()).toContain('No batches: no two runs');
  });
});

test('the bar shows each kind of slide, however few', () => {
  const theme = chooseTheme({});
  const tones = (parts: Partial<Batch>) =>
    batchBar(someBatch({ canceled: 0, ...parts }), 25, theme).map(
      ({ text, tone }) => `${tone} ${text.trim().length}`,
    );
  expect(tones({ total: 1_000, done: 500, succeeded: 499, failed: 1 })).toEqual([
    'good 9',
    'bad 1',
    'muted 0',
    'muted 10',
    'plain 3',
  ]);
  expect(tones({ total: 10, done: 10, succeeded: 10, failed: 0 }).slice(0, 4)).toEqual([
    'good 20',
    'bad 0',
    'muted 0',
    'muted 0',
  ]);
  expect(tones({ total: 1_000, done: 0, succeeded: 0, failed: 0 }).slice(0, 4)).toEqual([
    'good 0',
    'bad 0',
    'muted 0',
    'muted 20',
  ]);
});
