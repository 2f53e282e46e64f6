/**
 * What is typed after `/`. Terms with blanks between them all have to hold:
 *
 * - `liver` the row holds this text somewhere, whatever the case
 * - `/ad.*oma/` a regular expression, whatever the case
 * - `state=running`, `user!=alice` a field is, or is not, this text, or one of a list; `*` stands for anything
 * - `title~^CK\d` a field matches a regular expression
 * - `elapsed>3600`, `cpus<=4` a field as a number
 * - `!term` the opposite of a term
 *
 * Quotes keep blanks together: `title="Liver 1"`.
 */
export interface Query {
  text: string;
  terms: readonly Term[];
  /** What of the text could not be read; such a term lets every row through. */
  problem: string | null;
}

/** What a query may ask of a row. */
export interface Queried {
  /** All of its texts, in lower case. */
  text(): string;
  /** A field by its lower-case name; undefined: this table has no such field. */
  field(name: string): string | number | null | undefined;
}

export type Term = (row: Queried) => boolean;

export const emptyQuery: Query = { text: '', terms: [], problem: null };

/** Reads a query. Never throws: half a query is what one has while typing. */
export function parseQuery(text: string, fields: ReadonlySet<string>): Query {
  const problems: string[] = [];
  const terms = words(text).flatMap((word) => {
    const inverse = word.startsWith('!') && word.length > 1;
    const term = parseTerm(inverse ? word.slice(1) : word, fields);
    if (typeof term === 'string') {
      problems.push(term);
      return [];
    }
    return [inverse ? (row: Queried) => !term(row) : term];
  });
  return { text, terms, problem: problems[0] ?? null };
}

/** Whether a row passes every term. */
export function passes({ terms }: Query, row: Queried): boolean {
  return terms.every((term) => term(row));
}

/** Blank-separated words; quotes and `/…/` keep blanks. */
function words(text: string): string[] {
  const found = text.match(/!?\/(?:[^/\\]|\\.)+\/|(?:[^\s"]|"[^"]*"?)+/gu) ?? [];
  return found.map((word) => (isExpression(word) ? word : word.replaceAll('"', ''))).filter(Boolean);
}

function isExpression(word: string): boolean {
  return /^!?\/.+\/$/u.test(word);
}

/** A term, or why it is none. */
function parseTerm(word: string, fields: ReadonlySet<string>): Term | string {
  if (isExpression(word)) {
    const expression = readExpression(word.slice(1, -1));
    return typeof expression === 'string' ? expression : (row) => expression.test(row.text());
  }
  const [, name = '', operator = '', value = ''] = /^([a-z]+)(!=|>=|<=|=|~|>|<)(.*)$/iu.exec(word) ?? [];
  const field = name.toLowerCase();
  if (operator === '') return textTerm(word);
  if (!fields.has(field)) return `No field "${field}" here; there are ${[...fields].join(', ')}.`;
  switch (operator) {
    case '=':
    case '!=': {
      const matches = wildcard(value);
      const is = (text: string): boolean => matches(text) || listed(text).some(matches);
      return (row) => is(shown(row.field(field))) === (operator === '=');
    }
    case '~': {
      const expression = readExpression(value);
      return typeof expression === 'string' ? expression : (row) => expression.test(shown(row.field(field)));
    }
    default:
      return numberTerm(field, operator, value);
  }
}

function textTerm(word: string): Term {
  const wanted = word.toLowerCase();
  return (row) => row.text().includes(wanted);
}

function numberTerm(field: string, operator: string, value: string): Term | string {
  const bound = Number(value);
  if (value === '' || Number.isNaN(bound)) return `"${value}" after ${field}${operator} is no number.`;
  const compare: Record<string, (a: number) => boolean> = {
    '>': (a) => a > bound,
    '<': (a) => a < bound,
    '>=': (a) => a >= bound,
    '<=': (a) => a <= bound,
  };
  return (row) => {
    const held = row.field(field);
    const number =
      typeof held === 'number'
        ? held
        : held === null || held === undefined || held === ''
          ? NaN
          : Number(held);
    return compare[operator]?.(number) ?? false;
  };
}

function readExpression(source: string): RegExp | string {
  try {
    return new RegExp(source, 'iu');
  } catch {
    return `"${source}" is no regular expression.`;
  }
}

/** Equal but for the case; `*` stands for any text. */
function wildcard(pattern: string): (text: string) => boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replaceAll(/[\\^$.|?+()[\]{}/-]/gu, String.raw`\$&`))
    .join('.*');
  const expression = new RegExp(`^${source}$`, 'isu');
  return (text) => expression.test(text);
}

/** `gpu,long`: what is asked for may be one of them. Prose with a comma in it is no list. */
function listed(text: string): readonly string[] {
  return text.includes(',') && !text.includes(' ') ? text.split(',') : [];
}

function shown(value: string | number | null | undefined): string {
  return value === null || value === undefined ? '' : String(value);
}
