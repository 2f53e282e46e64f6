/** One word of a shell line. Not `known`: it holds something that only a shell could work out, and ends before that. */
export interface Word {
  text: string;
  known: boolean;
}

export interface Lookup {
  /** The value of a variable; undefined if it was never set, null if it is not known. */
  variable: (name: string) => string | null | undefined;
  /** What a command substitution stands for, if that can be told without running it. */
  substitution: (command: string) => string | null;
}

/** A value that doubles itself again and again must not fill the memory. */
const longest = 4_096;

/**
 * Splits shell text into commands and those into words, with quotes, escapes, `$NAME`, `${NAME}` and `${NAME:-default}`
 * resolved through `lookup` as they come. Nothing is run; a word that would need it is not known.
 */
export function* readCommands(text: string, lookup: Lookup): Generator<Word[]> {
  const source = text.replaceAll('\\\n', ' ');
  let words: Word[] = [];
  let word: Word | undefined;
  let quoted = false;
  const add = (piece: string | null): void => {
    word ??= { text: '', known: true };
    if (!word.known) return;
    if (piece === null || word.text.length + piece.length > longest) word.known = false;
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

/** What begins with `$` or a backquote at `at`; `end` is its last character. */
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

/** Where the bracket that is open at `from` closes; quotes inside are not looked at. */
function closing(source: string, from: number, opening: string, end: string): number {
  let depth = 0;
  for (let at = from; at < source.length; at += 1) {
    if (source.charAt(at) === opening) depth += 1;
    if (source.charAt(at) === end) depth -= 1;
    if (depth === 0) return at;
  }
  return source.length;
}
