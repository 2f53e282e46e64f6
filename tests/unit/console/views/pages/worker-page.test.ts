import { describe, expect, test } from 'vitest';

import { formatBytes } from '../../../../../src/console/views/format.js';
import { initialState, reduce } from '../../../../../src/console/state/reducer.js';
import type { WorkerDetail } from '../../../../../src/worker/views/live-views.js';
import { pageLines } from '../../../../../src/console/views/pages/page.js';
import { createFakeWorker } from '../../../../support/fake-worker-handle.js';
import { fakeWorkerDetail } from '../../../../support/fake-watched.js';

const now = 600_000;

function page(parts: Partial<WorkerDetail> | null, columns = 100): string {
  const worker = createFakeWorker();
  worker.show({ health: { inFlight: 12, finished: { succeeded: 5, failed: 2, canceled: 1 } } });
  let state = initialState({ snapshot: worker.snapshot(), now, size: { columns, rows: 40 } });
  state = reduce(state, { type: 'navigated', place: { view: 'worker', top: 0 } });
  if (parts !== null) {
    state = reduce(state, { type: 'liveViewChanged', name: 'worker', view: fakeWorkerDetail(parts), now });
  }
  return pageLines(state)
    .map(({ spans }) => spans.map(({ text }) => text).join(''))
    .join('\n');
}

const rates = (last: number): number[] => [...Array.from({ length: 59 }, () => 0), last];

describe('the page about the worker', () => {
  test.each([
    ['its process', {}, /process +4242 on login1/u],
    [
      'who stands by',
      { standbys: [{ host: 'login2', pid: 9, since: '2026-11-30' }] },
      /standby +process 9 on login2/u,
    ],
    ['its memory', {}, /memory +150 MB, heap 60 MB/u],
    ['the broker and what waits there', {}, /queue +celery: 3 waiting, 1 consumer\n/u],
    ['how old that is', { at: now - 7_000 }, /queried +7s ago/u],
    ['a broker that does not answer', { problem: 'no channel' }, /query error +no channel/u],
    ['what is in flight', {}, /in flight +12 of at most 1,000/u],
    [
      'rates',
      { rates: { accepted: rates(4), finished: rates(2) } },
      /arrived +·{59}█ {2}4 in the last hour, 4 in 5 min\n +finished .* 2 in the last hour/u,
    ],
    ['how runs ended', {}, /since the start +5 succeeded, 2 failed, 1 canceled/u],
    ['the journal', {}, /size +2\.0 MB\n +last sync +10m 00s ago, took 2ms/u],
    [
      'what is left of the budget',
      { commands: { lastMinute: 30, budget: 120, recent: [] } },
      /commands +30 in the last minute, 25% of 120 allowed by the site/u,
    ],
    ['no budget', { commands: { lastMinute: 30, budget: null, recent: [] } }, /the site has no limit/u],
    ['no errors', {}, /Last warnings and errors\n +none/u],
  ])('shows %s', (_, parts, expected) => {
    expect(page(parts, 120)).toMatch(expected);
  });

  test('lists commands newest first with exit codes and errors', () => {
    const recent = [
      { at: now - 9_000, file: 'squeue', args: ['--me'], problem: '', exitCode: 0, ms: 35 },
      {
        at: now - 2_000,
        file: 'sbatch',
        args: ['--comment', 'a b'],
        problem: 'exited with 1: sbatch: error: Invalid account',
        exitCode: 1,
        ms: 1_500,
      },
      {
        at: now - 1_000,
        file: 'scontrol',
        args: [],
        problem: 'did not answer in time',
        exitCode: null,
        ms: 60_000,
      },
    ];
    const text = page({ commands: { lastMinute: 3, budget: null, recent } });
    expect(text).toMatch(
      /1s ago exit +- +1m 00s +scontrol\n +did not answer in time\n +2s ago exit +1 +1\.5s +sbatch --comment 'a b'\n +exited with 1: sbatch: error: Invalid account\n +9s ago exit +0 +35ms +squeue --me/u,
    );
  });

  test('lists recent warnings and errors, newest first', () => {
    const troubles = [
      { at: now - 90_000, level: 'warn', text: 'Slurm does not answer', run: null },
      { at: now - 3_000, level: 'error', text: 'upload failed', run: 'abcdefgh-1' },
    ] as const;
    expect(page({ troubles })).toMatch(
      /3s ago ✘ upload failed \(run abcdefgh\)\n +1m 30s ago ▲ Slurm does not answer/u,
    );
  });

  test('is shown before its details are loaded', () => {
    expect(page(null)).toContain('Loading more from the worker.');
  });
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [12_345, '12 kB'],
  [1_540_000_000, '1.5 GB'],
])('formats %d bytes as %s', (value, text) => expect(formatBytes(value)).toBe(text));
