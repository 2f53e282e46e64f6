/**
 * Whether a whole text matches a glob: `*` is any text, `?` any character. Does not use a regular expression: globs come from
 * untrusted users, and a time limit could expire on a busy machine.
 * @param options.sets whether `[abc]`, `[a-z]` and `[!abc]` are sets, as in Python's fnmatch; otherwise brackets are literal
 */
export function globMatches(glob: string, text: string, { sets }: { sets: boolean }): boolean {
  const parts = glob.match(sets ? /\*+|\[!?\]?[^\]]*\]|[^]/g : /\*+|[^]/g) ?? [];
  let [at, star, resume] = [0, -1, 0];
  let from = 0;
  while (from < text.length) {
    const part = parts[at];
    if (part?.startsWith('*') === true) {
      star = at;
      at += 1;
      resume = from;
    } else if (part !== undefined && matchesOne(part, text[from] ?? '')) {
      at += 1;
      from += 1;
    } else if (star === -1) return false;
    else {
      // let the last star match one more character
      at = star + 1;
      resume += 1;
      from = resume;
    }
  }
  if (parts[at]?.startsWith('*') === true) at += 1;
  return at === parts.length;
}

/** @param part `?`, `[a-z]`, `[!abc]` or a literal character */
function matchesOne(part: string, character: string): boolean {
  if (part === '?') return true;
  if (part.length === 1) return part === character;
  const isNegated = part[1] === '!';
  const set = part.slice(isNegated ? 2 : 1, -1);
  const isIn = [...set.matchAll(/([^])-([^])|[^]/g)].some(([single, first, last]) =>
    first === undefined || last === undefined
      ? single === character
      : first <= character && character <= last,
  );
  return isIn !== isNegated;
}
