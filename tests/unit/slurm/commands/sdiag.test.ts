import { describe, expect, test } from 'vitest';

import { parseSdiag, querySchedulerStatistics } from '../../../../src/slurm/commands/sdiag.js';
import { failed, fakeRun, printed, timedOut } from '../fake-run.js';

const sample = [
  '*******************************************************',
  'sdiag output at Tue Dec 01 00:50:00 2026 (1796086200)',
  'Data since      Tue Dec 01 00:00:00 2026 (1796083200)',
  '*******************************************************',
  'Server thread count:  3',
  'DBD Agent queue size: 0',
  '',
  'Jobs running:   12',
  '',
  'Main schedule statistics (microseconds):',
  '\tLast cycle:   120',
  '\tCycles per minute: 4',
  '',
  'Backfilling stats',
  '\tTotal backfilled jobs (since last slurm start): 7',
  '\tLast cycle when: Tue Dec 01 00:49:30 2026 (1796086170)',
  '',
  'Latency for 1000 calls to gettimeofday(): 21 microseconds',
  '',
  'Remote Procedure Call statistics by message type',
  '\tREQUEST_PARTITION_INFO                  ( 2009) count:12     ave_time:345    total_time:4140',
  '',
  'Remote Procedure Call statistics by user',
  '',
  'Pending RPC statistics',
  '\tNo pending RPCs',
  '',
].join('\n');

describe('parseSdiag', () => {
  test('keeps the sections, labels and values of Slurm', () => {
    expect(parseSdiag(sample)).toEqual([
      {
        title: 'Controller',
        facts: [
          ['sdiag output at', 'Tue Dec 01 00:50:00 2026 (1796086200)'],
          ['Data since', 'Tue Dec 01 00:00:00 2026 (1796083200)'],
          ['Server thread count', '3'],
          ['DBD Agent queue size', '0'],
          ['Jobs running', '12'],
          ['Latency for 1000 calls to gettimeofday()', '21 microseconds'],
        ],
      },
      {
        title: 'Main schedule statistics (microseconds)',
        facts: [
          ['Last cycle', '120'],
          ['Cycles per minute', '4'],
        ],
      },
      {
        title: 'Backfilling stats',
        facts: [
          ['Total backfilled jobs (since last slurm start)', '7'],
          ['Last cycle when', 'Tue Dec 01 00:49:30 2026 (1796086170)'],
        ],
      },
      {
        title: 'Remote Procedure Call statistics by message type',
        facts: [['REQUEST_PARTITION_INFO', 'count:12 ave_time:345 total_time:4140']],
      },
      { title: 'Pending RPC statistics', facts: [['', 'No pending RPCs']] },
    ]);
  });

  test('finds nothing in other output, and is bounded', () => {
    expect(parseSdiag('')).toEqual([]);
    expect(parseSdiag('no such thing\n')).toEqual([]);
    const long = parseSdiag(`Section\n${'\ta: 1\n'.repeat(5_000)}`);
    expect(long[0]?.facts.length).toBeLessThan(1_001);
  });
});

test.each([
  [failed('slurm_get_statistics: Access/permission denied\n'), /Access\/permission denied/],
  [timedOut, /sdiag/],
  [printed('what?\n'), /could not be parsed/],
])('a refusal and silence are no statistics: %#', async (result, why) => {
  const answer = await querySchedulerStatistics(fakeRun(() => result).run);
  expect(answer).toMatchObject({ kind: 'silence', why: expect.stringMatching(why) as string });
});
