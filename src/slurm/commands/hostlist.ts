/** Nodes that one list is taken for; a longer one is cut. */
const mostNodes = 20_000;

/**
 * The nodes of a list as Slurm abbreviates it: `n[1-3,07-09],gpu1`, also with several brackets, `r[1-2]n[1-4]`. What is
 * none stays as it is. Source: scontrol(1), `show hostnames`.
 */
export function nodesOfList(list: string): string[] {
  const nodes: string[] = [];
  for (const part of splitOutside(list)) {
    for (const node of expanded(part, mostNodes - nodes.length)) nodes.push(node);
  }
  return nodes;
}

/** At the commas that are in no bracket. */
function splitOutside(list: string): string[] {
  return (list.match(/(?:[^,[]|\[[^\]]*\]?)+/gu) ?? []).map((part) => part.trim()).filter(Boolean);
}

function expanded(part: string, most: number): string[] {
  const match = /^([^[\]]*)\[([^[\]]*)\](.*)$/u.exec(part);
  if (match === null || most <= 0) return most <= 0 ? [] : [part];
  const [, front = '', ranges = '', rest = ''] = match;
  const found: string[] = [];
  for (const number of ranges.split(',').flatMap((range) => numbersOf(range, most))) {
    for (const end of expanded(rest, most - found.length)) found.push(`${front}${number}${end}`);
    if (found.length >= most) break;
  }
  return found;
}

/** `07-09` is `07`, `08`, `09`. */
function numbersOf(range: string, most: number): string[] {
  const match = /^(\d{1,9})-(\d{1,9})$/u.exec(range);
  if (match === null) return [range];
  const [, first = '', last = ''] = match;
  const length = Math.min(Math.max(0, Number(last) - Number(first) + 1), most);
  return Array.from({ length }, (_, index) => String(Number(first) + index).padStart(first.length, '0'));
}
