import { DsaSlurmError } from '../errors.js';

/** A value returned by {@link parsePythonJson}. A `bigint` is an integer beyond the safe range of numbers. */
export type PythonJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | PythonJson[]
  | { [key: string]: PythonJson };

/** A value returned by {@link parseExactJson}, which loses nothing. */
export type ExactJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | WholeFloat
  | ExactJson[]
  | { [key: string]: ExactJson };

/** A float with an integral value. To Python, `1.0` and `1` differ; JavaScript cannot distinguish them. */
export class WholeFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Python's parser fails at about 1,000 levels; real messages have fewer than 20. */
const maxDepth = 500;
/** Python 3.11 and newer refuse longer integers. */
const maxIntegerLength = 4_300;

const quote = 0x22;
const backslash = 0x5c;

/**
 * Parses JSON as written by Python's `json`: standard JSON and the literals `NaN`, `Infinity` and `-Infinity`.
 *
 * - Integers beyond the safe range become `bigint`, so that no digit is lost; `JSON.stringify` refuses those.
 * - `__proto__` becomes an ordinary own property, as in `JSON.parse`.
 * - The last value of a duplicate key wins, as in Python.
 *
 * @throws DsaSlurmError `message` with the offset in UTF-16 code units; it does not quote the text, which may contain tokens
 */
export function parsePythonJson(text: string): PythonJson {
  return parse(text, false) as PythonJson;
}

/** Like {@link parsePythonJson}, but `1.0` becomes a {@link WholeFloat}, so that it can be written again unchanged. */
export function parseExactJson(text: string): ExactJson {
  return parse(text, true);
}

function parse(text: string, wholeFloats: boolean): ExactJson {
  const numberToken = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
  let at = 0;

  const fail = (expected: string, offset = at): never => {
    const where = offset >= text.length ? 'where the text ends' : `at offset ${offset}`;
    throw new DsaSlurmError('message', `This is not JSON: ${expected} is expected ${where}.`);
  };

  const skipSpace = () => {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      at += 1;
    }
  };

  const literal = <T extends ExactJson>(word: string, value: T): T => {
    if (!text.startsWith(word, at)) fail('a value');
    at += word.length;
    return value;
  };

  const string = (): string => {
    const start = at;
    if (text.charCodeAt(at) !== quote) fail('a string');
    for (at += 1; text.charCodeAt(at) !== quote; at += 1) {
      const code = text.charCodeAt(at);
      // JSON.parse checks escapes; past the end the code is NaN
      if (code === backslash) at += 1;
      else if (!(code >= 0x20)) fail('the rest of a string');
    }
    at += 1;
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail('a string with legal escapes', start);
    }
  };

  const number = (): number | bigint | WholeFloat => {
    numberToken.lastIndex = at;
    const [token, fraction, exponent] = numberToken.exec(text) ?? fail('a value');
    const value = Number(token);
    const isUnsafe = fraction === undefined && exponent === undefined && !Number.isSafeInteger(value);
    if (isUnsafe && token.length > maxIntegerLength) fail(`an integer of at most ${maxIntegerLength} digits`);
    at += token.length;
    if (isUnsafe) return BigInt(token);
    const isFloat = fraction !== undefined || exponent !== undefined;
    return wholeFloats && isFloat && Number.isInteger(value) ? new WholeFloat(value) : value;
  };

  /** Consumes a comma or the closing bracket; whether it was a comma. */
  const hasNext = (end: string): boolean => {
    skipSpace();
    const character = text[at];
    if (character !== ',' && character !== end) fail(`"," or "${end}"`);
    at += 1;
    return character === ',';
  };

  /** Consumes the opening bracket, and the closing one if it follows immediately. */
  const isEmpty = (end: string): boolean => {
    at += 1;
    skipSpace();
    if (text[at] !== end) return false;
    at += 1;
    return true;
  };

  const array = (depth: number): ExactJson[] => {
    const items: ExactJson[] = [];
    if (isEmpty(']')) return items;
    do items.push(value(depth));
    while (hasNext(']'));
    return items;
  };

  const object = (depth: number): { [key: string]: ExactJson } => {
    const entries: [string, ExactJson][] = [];
    if (isEmpty('}')) return {};
    do {
      skipSpace();
      const key = string();
      skipSpace();
      if (text[at] !== ':') fail('":"');
      at += 1;
      entries.push([key, value(depth)]);
    } while (hasNext('}'));
    return Object.fromEntries(entries);
  };

  const value = (depth: number): ExactJson => {
    skipSpace();
    switch (text[at]) {
      case '"':
        return string();
      case '{':
        return depth >= maxDepth ? fail(`a nesting of at most ${maxDepth} levels`) : object(depth + 1);
      case '[':
        return depth >= maxDepth ? fail(`a nesting of at most ${maxDepth} levels`) : array(depth + 1);
      case 't':
        return literal('true', true);
      case 'f':
        return literal('false', false);
      case 'n':
        return literal('null', null);
      case 'N':
        return literal('NaN', Number.NaN);
      case 'I':
        return literal('Infinity', Number.POSITIVE_INFINITY);
      default:
        return text.startsWith('-I', at) ? literal('-Infinity', Number.NEGATIVE_INFINITY) : number();
    }
  };

  const result = value(0);
  skipSpace();
  if (at < text.length) fail('nothing more');
  return result;
}

/** Writes JSON like Python's `json` with `ensure_ascii=False`. The inverse of {@link parseExactJson}. */
export function writePythonJson(value: ExactJson): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : writeNumber(value);
  if (value instanceof WholeFloat) return writeWholeFloat(value.value);
  if (Array.isArray(value)) return `[${value.map(writePythonJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${writePythonJson(item)}`,
  );
  return `{${entries.join(', ')}}`;
}

function writeNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? 'Infinity' : '-Infinity';
}

function writeWholeFloat(value: number): string {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return text.includes('e') ? text : `${text}.0`;
}
