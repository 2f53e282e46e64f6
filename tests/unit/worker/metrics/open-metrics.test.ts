import { expect, test } from 'vitest';
import { createHistogram, createMetricsText } from '../../../../src/worker/metrics/open-metrics.js';

test('families as OpenMetrics prescribes them', () => {
  const out = createMetricsText();
  const histogram = createHistogram([1, 5]);
  for (const value of [0.5, 3, 9]) histogram.observe(value);
  out.gauge('runs', 'Runs "now".', [[{ stage: 'a"b\\c\nd' }, 2]]);
  out.counter('done', 'Done.', [[{}, 7]]);
  out.histogram('time', 'Time.', [[{}, histogram.view()]]);
  expect(out.text()).toBe(
    [
      '# TYPE runs gauge',
      String.raw`# HELP runs Runs \"now\".`,
      String.raw`runs{stage="a\"b\\c\nd"} 2`,
      '# TYPE done counter',
      '# HELP done Done.',
      'done_total 7',
      '# TYPE time histogram',
      '# HELP time Time.',
      'time_bucket{le="1"} 1',
      'time_bucket{le="5"} 2',
      'time_bucket{le="+Inf"} 3',
      'time_count 3',
      'time_sum 12.5',
      '# EOF',
      '',
    ].join('\n'),
  );
});
