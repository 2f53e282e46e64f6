import { structuredPatch } from 'diff';

/** Changed lines. The time that a comparison takes grows with their square. */
const maxEditLength = 2_000;

/**
 * A unified diff without its two header lines; empty for the same text. `mask` is applied to each line after the comparison,
 * so that a new password still counts as a change.
 */
export function unifiedDiff(before: string, after: string, mask: (line: string) => string): string {
  const patch = structuredPatch('', '', before, after, undefined, undefined, {
    context: 3,
    maxEditLength,
  });
  if (patch === undefined) return '(too many changes to show line by line)';
  return patch.hunks
    .flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
      `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`,
      ...lines.map((line) => `${line.charAt(0)}${mask(line.slice(1))}`),
    ])
    .join('\n');
}

/** In the unified format an empty range starts at the line before it. */
function range(start: number, count: number): string {
  return `${count === 0 ? start - 1 : start},${count}`;
}
