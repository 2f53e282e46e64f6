import type { Glyphs } from './theme.js';

/** One character a value, the highest one at full height; nothing at all has a sign of its own, and so has what is not known. */
export function sparkline(values: readonly (number | null)[], { spark }: Glyphs): string {
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  const [zero = '', ...levels] = Array.from(spark);
  return values
    .map((value) => {
      if (value === null) return ' ';
      if (value <= 0 || most === 0) return zero;
      return levels[Math.max(0, Math.ceil((value / most) * levels.length) - 1)] ?? '';
    })
    .join('');
}

/** The lowest value that `share` of the values do not exceed; null without any. @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
