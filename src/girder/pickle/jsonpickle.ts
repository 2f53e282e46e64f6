import { WholeFloat } from '../../base/text/python-json.js';
import { decodeBase64, decodeBase85, decodeDatetime } from './pickled-bytes.js';
import type { Pickled, PickledName } from './pickled.js';
import { quoted, rejectMessage } from '../protocol/reject-message.js';

/** Real messages are about fifteen levels deep. */
const maxDepth = 200;
/** Maximum number of values in one document. A batch of thousands of inputs has far fewer. */
const maxValues = 1_000_000;

/**
 * Decodes jsonpickle's JSON, already parsed, into inert data.
 *
 * `py/id` follows jsonpickle's numbering: depth first, in document order, from 0; plain objects, plain arrays, `py/object` and
 * `py/reduce` get the next number before their children do. A reference becomes the same JavaScript object, except for one to
 * an enclosing object, which becomes an inert `cycle`. Source: jsonpickle 3.0.0, `Unpickler._mkref` and its callers.
 *
 * @param json one document: a message body, or one element of the header `girder_result_hooks`
 * @throws DsaSlurmError `message` for malformed jsonpickle, unsupported tags, and documents that are too deep or too large
 */
export function decodePickle(json: unknown): Pickled {
  const state: DecodeState = { objects: [], values: 0, unorderedFrom: Infinity };
  return decode(json, state, 0);
}

interface DecodeState {
  /** By number; undefined while the object's children are being decoded. */
  readonly objects: (Pickled | undefined)[];
  values: number;
  /** The first number that is not reliable; see {@link keepsOrder}. */
  unorderedFrom: number;
}

type JsonObject = Readonly<Record<string, unknown>>;

function decode(json: unknown, state: DecodeState, depth: number): Pickled {
  state.values += 1;
  if (state.values > maxValues) rejectMessage('The message contains too many values.');
  if (depth > maxDepth) rejectMessage('The message is nested too deeply.');
  if (isScalar(json)) return json;
  if (Array.isArray(json)) return numbered(state, () => decodeAll(json, state, depth));
  if (!isJsonObject(json)) return rejectMessage('The message contains a value that is not JSON.');
  return decodeObject(json, state, depth);
}

function isScalar(json: unknown): json is null | boolean | number | bigint | string | WholeFloat {
  if (json instanceof WholeFloat) return true;
  return json === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof json);
}

function isJsonObject(json: unknown): json is JsonObject {
  if (typeof json !== 'object' || json === null) return false;
  const prototype: unknown = Object.getPrototypeOf(json);
  return prototype === Object.prototype || prototype === null;
}

/** Assigns a number to the object before `build` decodes its children. */
function numbered<T extends Pickled>(state: DecodeState, build: (id: number) => T): T {
  const id = state.objects.push(undefined) - 1;
  const value = build(id);
  state.objects[id] = value;
  return value;
}

function decodeAll(items: readonly unknown[], state: DecodeState, depth: number): Pickled[] {
  return items.map((item) => decode(item, state, depth + 1));
}

function decodeObject(json: JsonObject, state: DecodeState, depth: number): Pickled {
  const tags = Object.keys(json).filter((key) => key.startsWith('py/'));
  const [tag] = tags;
  if (tag === undefined) return numbered(state, () => decodeEntries(json, state, depth));
  if (tags.includes('py/object')) return decodeInstance(json, tags, state, depth);
  if (tags.length > 1 || Object.keys(json).length > 1) {
    return rejectMessage(`The message mixes ${quoted(tag)} with other keys.`);
  }
  const value = json[tag];
  switch (tag) {
    case 'py/tuple':
      return { kind: 'tuple', items: decodeAll(arrayOf(tag, value), state, depth) };
    case 'py/set':
      return { kind: 'set', items: decodeAll(arrayOf(tag, value), state, depth) };
    case 'py/reduce':
      return numbered(state, () => {
        // decoded only to count the objects inside
        decodeAll(arrayOf(tag, value), state, depth);
        return { kind: 'reduce' };
      });
    case 'py/type':
      return decodeName('type', tag, value);
    case 'py/function':
      return decodeName('function', tag, value);
    case 'py/b64':
      return { kind: 'bytes', bytes: bytesOf(tag, decodeBase64(textOf(tag, value))) };
    case 'py/b85':
      return { kind: 'bytes', bytes: bytesOf(tag, decodeBase85(textOf(tag, value))) };
    case 'py/id':
      return resolve(value, state);
    default:
      return rejectMessage(`The message uses ${quoted(tag)}, a form of jsonpickle that is not supported.`);
  }
}

function decodeEntries(json: JsonObject, state: DecodeState, depth: number): ReadonlyMap<string, Pickled> {
  const entries = Object.entries(json).filter(([key]) => !key.startsWith('py/'));
  if (!keepsOrder(entries)) state.unorderedFrom = Math.min(state.unorderedFrom, state.objects.length);
  return new Map(entries.map(([key, value]) => [decodeKey(key, state), decode(value, state, depth + 1)]));
}

const keyPrefix = 'json://';

/**
 * A key that is not a string, as girder_worker 5.0.19 and newer write it (`keys=True`): its JSON behind a prefix, which
 * also escapes a string that begins so. Here it becomes the text that earlier releases write. A key with parts stays as
 * it is: whether those take numbers is not known.
 */
function decodeKey(key: string, state: DecodeState): string {
  if (!key.startsWith(keyPrefix)) return key;
  const json = key.slice(keyPrefix.length);
  if (json === 'true') return 'True';
  if (json === 'false') return 'False';
  if (json === 'null' || /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(json)) return json;
  if (json.startsWith('"')) return unquoted(json) ?? key;
  if (/^[[{]/.test(json)) state.unorderedFrom = Math.min(state.unorderedFrom, state.objects.length);
  return key;
}

function unquoted(json: string): string | null {
  try {
    return textOf('json', JSON.parse(json));
  } catch {
    return null;
  }
}

/**
 * Whether the order of the document is certain. JavaScript moves keys such as "7" before all others, so with two children that
 * take numbers, later numbers may refer to other objects than in Python.
 */
function keepsOrder(entries: readonly (readonly [string, unknown])[]): boolean {
  const containers = entries.filter(([, value]) => typeof value === 'object' && value !== null);
  return containers.length < 2 || !containers.some(([key]) => /^(0|[1-9]\d{0,9})$/.test(key));
}

function decodeInstance(
  json: JsonObject,
  tags: readonly string[],
  state: DecodeState,
  depth: number,
): Pickled {
  const className = textOf('py/object', json['py/object']);
  const unsupported = tags.find((tag) => tag !== 'py/object' && tag !== 'py/state');
  if (unsupported !== undefined) {
    rejectMessage(`The message uses ${quoted(unsupported)}, a form of jsonpickle that is not supported.`);
  }
  if (tags.includes('py/state') && Object.keys(json).length > 2) {
    rejectMessage(`An object of the message (${quoted(className)}) has both a state and attributes.`);
  }
  return numbered(state, (id) => {
    if (className === 'datetime.datetime') return decodeDatetimeObject(json, state, depth);
    const inner = tags.includes('py/state') ? decode(json['py/state'], state, depth + 1) : undefined;
    if (className === 'bson.objectid.ObjectId') return objectIdOf(inner);
    return { kind: 'instance', className, id, attributes: decodeEntries(json, state, depth), state: inner };
  });
}

/** jsonpickle's form of a datetime: `"__reduce__": [type, [base64 of ten bytes, zone?]]`; these arrays take no numbers. */
function decodeDatetimeObject(json: JsonObject, state: DecodeState, depth: number): Pickled {
  const [type, parts] = arrayOf('datetime.datetime', json['__reduce__']);
  decode(type, state, depth + 1);
  const [base64, ...zone] = arrayOf('datetime.datetime', parts);
  // decoded only to count objects: the first zone of a document is a `py/reduce`, later ones refer to it
  decodeAll(zone, state, depth);
  const bytes = bytesOf('datetime.datetime', decodeBase64(textOf('datetime.datetime', base64)));
  return decodeDatetime(bytes, zone.length > 0) ?? malformed('datetime.datetime');
}

function objectIdOf(value: Pickled | undefined): Pickled {
  const isBytes = typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'bytes';
  if (!isBytes || value.bytes.length !== 12) return malformed('bson.objectid.ObjectId');
  return { kind: 'objectId', hex: Buffer.from(value.bytes).toString('hex') };
}

function decodeName(kind: PickledName['kind'], tag: string, value: unknown): PickledName {
  return { kind, name: textOf(tag, value) };
}

function resolve(value: unknown, state: DecodeState): Pickled {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= state.objects.length) {
    return rejectMessage('The message refers to an object that does not precede the reference.');
  }
  if (value >= state.unorderedFrom) {
    rejectMessage('The message refers to an object after numeric keys, whose order is not known.');
  }
  return state.objects[value] ?? { kind: 'cycle' };
}

function arrayOf(tag: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : malformed(tag);
}

function textOf(tag: string, value: unknown): string {
  return typeof value === 'string' ? value : malformed(tag);
}

function bytesOf(tag: string, bytes: Uint8Array | null): Uint8Array {
  return bytes ?? malformed(tag);
}

function malformed(tag: string): never {
  return rejectMessage(`The message contains a malformed ${quoted(tag)}.`);
}
