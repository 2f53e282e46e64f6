/** Above this many pairs of lines a diff would take longer than anybody reads. */
const mostPairs = 4_000_000;
/** Lines around a change that are shown as well. */
const context = 3;

type Edit = { kind: ' ' | '-' | '+'; line: string };

/**
 * A unified diff without its two header lines; empty for the same text. `displayName` makes a line fit to be shown: it masks
 * secrets, and comes after the comparison, so that a new password still counts as a change.
 */
export function unifiedDiff(before: string, after: string, shown: (line: string) => string): string {
  if (before === after) return '';
  const edits = compareLines(toLines(before), toLines(after));
  if (edits === null) return '(too long to be compared line by line)';
  const out: string[] = [];
  let oldLine = 1;
  let newLine = 1;
  let at = 0;
  while (at < edits.length) {
    const first = edits.findIndex((edit, index) => index >= at && edit.kind !== ' ');
    if (first === -1) break;
    let end = first;
    for (let index = first; index < edits.length && index <= end + 2 * context; index += 1) {
      if (edits[index]?.kind !== ' ') end = index;
    }
    const start = Math.max(at, first - context);
    const hunk = edits.slice(start, Math.min(edits.length, end + context + 1));
    oldLine += start - at;
    newLine += start - at;
    const removed = hunk.filter(({ kind }) => kind !== '+').length;
    const added = hunk.filter(({ kind }) => kind !== '-').length;
    out.push(`@@ -${range(oldLine, removed)} +${range(newLine, added)} @@`);
    out.push(...hunk.map(({ kind, line }) => `${kind}${shown(line)}`));
    oldLine += removed;
    newLine += added;
    at = start + hunk.length;
  }
  return out.join('\n');
}

function range(line: number, count: number): string {
  return `${count === 0 ? line - 1 : line},${count}`;
}

function toLines(text: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  else lines.push(String.raw`\ no line break at the end`);
  return lines;
}

/** Longest common subsequence, by the table; null where the table would be too big. */
function compareLines(before: readonly string[], after: readonly string[]): Edit[] | null {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const old = before.slice(head, before.length - tail);
  const fresh = after.slice(head, after.length - tail);
  if (old.length * fresh.length > mostPairs) return null;

  const width = fresh.length + 1;
  const lengths = new Uint16Array((old.length + 1) * width);
  const lengthAt = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        old[i] === fresh[j] ? lengthAt(i + 1, j + 1) + 1 : Math.max(lengthAt(i + 1, j), lengthAt(i, j + 1));
    }
  }
  const edits: Edit[] = before.slice(0, head).map((line) => ({ kind: ' ', line }));
  let i = 0;
  let j = 0;
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      edits.push({ kind: ' ', line: old[i] ?? '' });
      i += 1;
      j += 1;
    } else if (i < old.length && (j === fresh.length || lengthAt(i + 1, j) >= lengthAt(i, j + 1))) {
      edits.push({ kind: '-', line: old[i] ?? '' });
      i += 1;
    } else {
      edits.push({ kind: '+', line: fresh[j] ?? '' });
      j += 1;
    }
  }
  edits.push(...before.slice(before.length - tail).map((line): Edit => ({ kind: ' ', line })));
  return edits;
}
