/**
 * A filter as typed after `/`. All of its terms, separated by spaces, must match:
 *
 * - `liver` any text of the row contains this, ignoring case
 * - `/ad.*oma/` a regular expression, ignoring case
 * - `state=running`, `user!=alice` a field is (not) this text, or one of its list contains it; `*` matches anything
 * - `title~^CK\d` a field matches a regular expression
 * - `elapsed>3600`, `cpus<=4` a numeric comparison
 * - `!term` negates a term
 *
 * Quotes keep spaces: `title="Liver 1"`.
 */
export interface Query {
  text: string;
  terms: readonly Term[];
  /** The first term that could not be parsed; such terms are ignored. */
  problem: string | null;
}

/** A row as a query sees it. */
interface QueriedRow {
  /** All texts in lower case. */
  text(): string;
  /** A field by its lower-case name; undefined if there is no such field. */
  field(name: string): string | number | null | undefined;
}

type Term = (row: QueriedRow) => boolean;

export const emptyQuery: Query = { text: '', terms: [], problem: null };

/** Never throws, because a query is incomplete while it is typed. */
export function parseQuery(text: string, fields: ReadonlySet<string>): Query {
  const problems: string[] = [];
  const terms = words(text).flatMap((word) => {
    const inverse = word.startsWith('!') && word.length > 1;
    const term = parseTerm(inverse ? word.slice(1) : word, fields);
    if (typeof term === 'string') {
      problems.push(term);
      return [];
    }
    return [inverse ? (row: QueriedRow) => !term(row) : term];
  });
  return { text, terms, problem: problems[0] ?? null };
}

export function matchesQuery({ terms }: Query, row: QueriedRow): boolean {
  return terms.every((term) => term(row));
}

/** Splits at spaces, except within quotes and `/…/`. */
function words(text: string): string[] {
  const found = text.match(/!?\/(?:[^/\\]|\\.)+\/|(?:[^\s"]|"[^"]*"?)+/gu) ?? [];
  return found.map((word) => (isExpression(word) ? word : word.replaceAll('"', ''))).filter(Boolean);
}

function isExpression(word: string): boolean {
  return /^!?\/.+\/$/u.test(word);
}

/** @returns the term, or an error message */
function parseTerm(word: string, fields: ReadonlySet<string>): Term | string {
  if (isExpression(word)) {
    const expression = readExpression(word.slice(1, -1));
    return typeof expression === 'string' ? expression : (row) => expression.test(row.text());
  }
  const [, name = '', operator = '', value = ''] = /^([a-z]+)(!=|>=|<=|=|~|>|<)(.*)$/iu.exec(word) ?? [];
  const field = name.toLowerCase();
  if (operator === '') return textTerm(word);
  if (!fields.has(field)) return `Unknown field "${field}". Fields: ${[...fields].join(', ')}.`;
  switch (operator) {
    case '=':
    case '!=': {
      const matches = wildcard(value);
      const is = (text: string): boolean => matches(text) || listElements(text).some(matches);
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
  const text = word.toLowerCase();
  return (row) => row.text().includes(text);
}

function numberTerm(field: string, operator: string, value: string): Term | string {
  const bound = Number(value);
  if (value === '' || Number.isNaN(bound)) return `"${value}" after ${field}${operator} is not a number.`;
  const compare: Record<string, (a: number) => boolean> = {
    '>': (a) => a > bound,
    '<': (a) => a < bound,
    '>=': (a) => a >= bound,
    '<=': (a) => a <= bound,
  };
  return (row) => {
    const raw = row.field(field);
    const isMissing = raw === null || raw === undefined || raw === '';
    const number = isMissing ? NaN : Number(raw);
    return compare[operator]?.(number) ?? false;
  };
}

function readExpression(source: string): RegExp | string {
  try {
    return new RegExp(source, 'iu');
  } catch {
    return `"${source}" is not a valid regular expression.`;
  }
}

/** Compares ignoring case; `*` matches any text. */
function wildcard(pattern: string): (text: string) => boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replaceAll(/[\\^$.|?+()[\]{}/]/gu, String.raw`\$&`))
    .join('.*');
  const expression = new RegExp(`^${source}$`, 'isu');
  return (text) => expression.test(text);
}

/** The elements of a list such as `gpu,long`. A sentence with a comma is not a list. */
function listElements(text: string): readonly string[] {
  return text.includes(',') && !text.includes(' ') ? text.split(',') : [];
}

function shown(value: string | number | null | undefined): string {
  return value === null || value === undefined ? '' : String(value);
}
