import type { Glyphs } from './theme.js';

/** One character per value, scaled to the maximum. Zero has its own character; null is blank. */
export function sparkline(values: readonly (number | null)[], { spark }: Glyphs): string {
  const max = Math.max(0, ...values.map((value) => value ?? 0));
  const [zero = '', ...levels] = Array.from(spark);
  return values
    .map((value) => {
      if (value === null) return ' ';
      if (value <= 0 || max === 0) return zero;
      return levels[Math.max(0, Math.ceil((value / max) * levels.length) - 1)] ?? '';
    })
    .join('');
}

/** The smallest value that at least `share` of all values do not exceed; null without values. @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
