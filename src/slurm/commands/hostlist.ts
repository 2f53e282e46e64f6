/** A list is truncated after this many nodes. */
const maxNodes = 20_000;

/**
 * Expands a Slurm host list such as `n[1-3,07-09],gpu1`, also with several brackets, `r[1-2]n[1-4]`. Other text is returned
 * unchanged. Source: scontrol(1), `show hostnames`.
 */
export function expandHostlist(list: string): string[] {
  const nodes: string[] = [];
  for (const part of splitList(list)) {
    for (const node of expandPart(part, maxNodes - nodes.length)) nodes.push(node);
  }
  return nodes;
}

/** Splits at the commas outside brackets. */
function splitList(list: string): string[] {
  return (list.match(/(?:[^,[]|\[[^\]]*\]?)+/gu) ?? []).map((part) => part.trim()).filter(Boolean);
}

function expandPart(part: string, limit: number): string[] {
  const match = /^([^[\]]*)\[([^[\]]*)\](.*)$/u.exec(part);
  if (match === null || limit <= 0) return limit <= 0 ? [] : [part];
  const [, front = '', ranges = '', rest = ''] = match;
  const found: string[] = [];
  for (const number of ranges.split(',').flatMap((range) => expandRange(range, limit))) {
    for (const end of expandPart(rest, limit - found.length)) found.push(`${front}${number}${end}`);
    if (found.length >= limit) break;
  }
  return found;
}

/** `07-09` becomes `07`, `08`, `09`. */
function expandRange(range: string, limit: number): string[] {
  const match = /^(\d{1,9})-(\d{1,9})$/u.exec(range);
  if (match === null) return [range];
  const [, first = '', last = ''] = match;
  const length = Math.min(Math.max(0, Number(last) - Number(first) + 1), limit);
  return Array.from({ length }, (_, index) => String(Number(first) + index).padStart(first.length, '0'));
}
