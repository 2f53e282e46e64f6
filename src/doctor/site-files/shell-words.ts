/** A word of a command. If not `known`, it contains an expansion that only a shell can evaluate, and ends before it. */
export interface Word {
  text: string;
  known: boolean;
}

export interface Lookup {
  /** The value of a variable; undefined if it was never set, null if it is unknown. */
  variable: (name: string) => string | null | undefined;
  /** The value of a command substitution; null if it is unknown without running it. */
  substitution: (command: string) => string | null;
}

/** Characters of a word: a value that repeatedly doubles itself must not exhaust the memory. */
const maxLength = 4_096;

/**
 * Splits shell text into commands and words. Resolves quotes, escapes, `$NAME`, `${NAME}` and `${NAME:-default}` with `lookup`.
 * Runs nothing; words that would require it are marked unknown.
 */
export function* readCommands(text: string, lookup: Lookup): Generator<Word[]> {
  const source = text.replaceAll('\\\n', ' ');
  let words: Word[] = [];
  let word: Word | undefined;
  let quoted = false;
  const add = (piece: string | null): void => {
    word ??= { text: '', known: true };
    if (!word.known) return;
    if (piece === null || word.text.length + piece.length > maxLength) word.known = false;
    else word.text += piece;
  };
  const endWord = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };

  for (let at = 0; at < source.length; at += 1) {
    const c = source.charAt(at);
    if (quoted && c === '"') {
      quoted = false;
    } else if (c === '\\') {
      const next = source.charAt(at + 1);
      add(quoted && !'"\\$`'.includes(next) ? `\\${next}` : next);
      at += 1;
    } else if (c === '$' || c === '`') {
      const { piece, end } = expand(source, at, lookup);
      add(piece);
      at = end;
    } else if (quoted) {
      add(c);
    } else if (c === "'") {
      const end = source.indexOf("'", at + 1);
      if (end === -1) return;
      add(source.slice(at + 1, end));
      at = end;
    } else if (c === '"') {
      quoted = true;
      add('');
    } else if (c === '#' && word === undefined) {
      const end = source.indexOf('\n', at);
      at = end === -1 ? source.length : end - 1;
    } else if (' \t'.includes(c)) {
      endWord();
    } else if ('\n;&|()<>'.includes(c)) {
      endWord();
      if (words.length > 0) yield words;
      words = [];
    } else {
      add(c);
    }
  }
  if (quoted) return;
  endWord();
  if (words.length > 0) yield words;
}

/** Expands what begins with `$` or a backquote at `at`; `end` is the index of its last character. */
function expand(source: string, at: number, lookup: Lookup): { piece: string | null; end: number } {
  if (source.charAt(at) === '`') {
    const end = source.indexOf('`', at + 1);
    return { piece: null, end: end === -1 ? source.length : end };
  }
  if (source.startsWith('$(', at)) {
    const end = closing(source, at + 1, '(', ')');
    return { piece: lookup.substitution(source.slice(at + 2, end)), end };
  }
  if (source.startsWith('${', at)) {
    const end = closing(source, at + 1, '{', '}');
    const [, name, , fallback] = /^(\w+)(:?-([^$`"'\\]*))?$/.exec(source.slice(at + 2, end)) ?? [];
    if (name === undefined) return { piece: null, end };
    const value = lookup.variable(name);
    return { piece: value === undefined || value === '' ? (fallback ?? null) : value, end };
  }
  const name = /^[A-Za-z_]\w*/.exec(source.slice(at + 1, at + 257))?.[0];
  if (name === undefined) return { piece: '$', end: at };
  return { piece: lookup.variable(name) ?? null, end: at + name.length };
}

/** Index of the bracket that closes the one at `from`; ignores quotes. */
function closing(source: string, from: number, opening: string, end: string): number {
  let depth = 0;
  for (let at = from; at < source.length; at += 1) {
    if (source.charAt(at) === opening) depth += 1;
    if (source.charAt(at) === end) depth -= 1;
    if (depth === 0) return at;
  }
  return source.length;
}
