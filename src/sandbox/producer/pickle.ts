/**
 * The part of jsonpickle's encoder that Girder's messages need: a repeated object becomes `{"py/id": n}`, numbered by the
 * rules in docs/contract.md ("py/id numbering").
 */
export type Picklable =
  | string
  | number
  | boolean
  | null
  | readonly Picklable[]
  | { readonly [key: string]: Picklable }
  | PyObject
  | Tuple
  | Verbatim;

/** An instance of a Python class. */
export class PyObject {
  readonly className: string;
  readonly attributes: Readonly<Record<string, Picklable>>;

  constructor(className: string, attributes: Readonly<Record<string, Picklable>>) {
    this.className = className;
    this.attributes = attributes;
  }
}

export class Tuple {
  readonly items: readonly Picklable[];

  constructor(items: readonly Picklable[]) {
    this.items = items;
  }
}

/** JSON that jsonpickle writes without numbering anything in it: types, base64, the inside of a `__reduce__`. */
export class Verbatim {
  readonly json: unknown;

  constructor(json: unknown) {
    this.json = json;
  }
}

/** One document: the body, or one result hook. */
export function pickle(value: Picklable): unknown {
  const numbers = new Map<object, number>();
  const walk = (part: Picklable): unknown => {
    if (part === null || typeof part !== 'object') return part;
    if (part instanceof Verbatim) return part.json;
    if (part instanceof Tuple) return { 'py/tuple': part.items.map(walk) };
    const seen = numbers.get(part);
    if (seen !== undefined) return { 'py/id': seen };
    numbers.set(part, numbers.size);
    if (Array.isArray(part)) return part.map(walk);
    if (part instanceof PyObject) {
      return { 'py/object': part.className, ...walkEntries(part.attributes) };
    }
    return walkEntries(part as Readonly<Record<string, Picklable>>);
  };
  const walkEntries = (record: Readonly<Record<string, Picklable>>) =>
    Object.fromEntries(Object.entries(record).map(([name, entry]) => [name, walk(entry)]));
  return walk(value);
}

/** A time without a time zone, as Girder 3 pickles it. */
export function pyDatetime(date: Date): PyObject {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt16BE(date.getUTCFullYear(), 0);
  const rest = [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours()];
  rest.push(date.getUTCMinutes(), date.getUTCSeconds());
  rest.forEach((byte, index) => bytes.writeUInt8(byte, 2 + index));
  bytes.writeUIntBE(date.getUTCMilliseconds() * 1_000, 7, 3);
  const reduce = [{ 'py/type': 'datetime.datetime' }, [bytes.toString('base64')]];
  return new PyObject('datetime.datetime', { __reduce__: new Verbatim(reduce) });
}

/** 24 hex digits as Mongo's ObjectId. */
export function pyObjectId(hex: string): PyObject {
  const state = { 'py/b64': Buffer.from(hex, 'hex').toString('base64') };
  return new PyObject('bson.objectid.ObjectId', { 'py/state': new Verbatim(state) });
}
