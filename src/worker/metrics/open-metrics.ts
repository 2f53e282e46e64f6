/** Labels of a sample. */
export type Labels = Readonly<Record<string, string>>;

/** Text in the OpenMetrics format, built family by family; see https://github.com/prometheus/OpenMetrics. */
export interface MetricsText {
  gauge(name: string, help: string, samples: readonly (readonly [Labels, number])[]): void;
  /** @param name without `_total` */
  counter(name: string, help: string, samples: readonly (readonly [Labels, number])[]): void;
  histogram(name: string, help: string, samples: readonly (readonly [Labels, Histogram])[]): void;
  text(): string;
}

/** Counts of observations, cumulative as OpenMetrics wants them. */
export interface Histogram {
  /** Upper bounds in ascending order, without infinity. */
  readonly bounds: readonly number[];
  /** Number of observations up to each bound. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

export function createMetricsText(): MetricsText {
  const lines: string[] = [];
  const family = (name: string, type: string, help: string): void => {
    lines.push(`# TYPE ${name} ${type}`, `# HELP ${name} ${escapeText(help)}`);
  };
  const sample = (name: string, labels: Labels, value: number): void => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeText(text)}"`);
    lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`);
  };
  return {
    gauge(name, help, samples) {
      family(name, 'gauge', help);
      for (const [labels, value] of samples) sample(name, labels, value);
    },
    counter(name, help, samples) {
      family(name, 'counter', help);
      for (const [labels, value] of samples) sample(`${name}_total`, labels, value);
    },
    histogram(name, help, samples) {
      family(name, 'histogram', help);
      for (const [labels, { bounds, counts, count, sum }] of samples) {
        for (const [index, bound] of bounds.entries()) {
          sample(`${name}_bucket`, { ...labels, le: String(bound) }, counts[index] ?? 0);
        }
        sample(`${name}_bucket`, { ...labels, le: '+Inf' }, count);
        sample(`${name}_count`, labels, count);
        sample(`${name}_sum`, labels, sum);
      }
    },
    text: () => [...lines, '# EOF', ''].join('\n'),
  };
}

function escapeText(text: string): string {
  return text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('"', String.raw`\"`);
}

/** Counts observations in buckets. */
export function createHistogram(bounds: readonly number[]): {
  observe(value: number): void;
  view(): Histogram;
} {
  const counts = bounds.map(() => 0);
  let count = 0;
  let sum = 0;
  return {
    observe(value) {
      count += 1;
      sum += value;
      for (const [index, bound] of bounds.entries()) {
        if (value <= bound) counts[index] = (counts[index] ?? 0) + 1;
      }
    },
    view: () => ({ bounds, counts: [...counts], count, sum }),
  };
}
