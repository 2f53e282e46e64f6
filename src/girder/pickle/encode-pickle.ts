import { WholeFloat, type ExactJson } from '../../base/text/python-json.js';
import { encodeDatetime } from './pickled-bytes.js';
import type { Pickled, PickledDatetime, PickledDict, PickledInstance } from './pickled.js';
import { quoted, rejectMessage } from '../protocol/reject-message.js';

/** jsonpickle's encoding of UTC. It is repeated each time and takes two `py/id` numbers. */
const utc = {
  'py/reduce': [
    { 'py/type': 'datetime.timezone' },
    {
      'py/tuple': [{ 'py/reduce': [{ 'py/type': 'datetime.timedelta' }, { 'py/tuple': [0, 0, 0] }] }],
    },
  ],
};
const utcNumbers = 2;

/**
 * Encodes a result of `decodePickle` as a separate jsonpickle document: `py/id` is numbered again by the same rules, and an
 * object that occurs twice stays one object. The pickled application and task in a Celery signature (`__dict__`) are omitted,
 * because the reader of the signature uses its own.
 * @throws DsaSlurmError `message` for values that cannot be encoded: a `py/reduce`, whose content is not kept, and a reference
 * to an enclosing object
 */
export function encodePickle(value: Pickled): ExactJson {
  const numbers = new Map<object, number>();
  let next = 0;

  /** Gives the object its number before `build` reaches its children. */
  const numbered = (object: object, build: () => ExactJson): ExactJson => {
    const known = numbers.get(object);
    if (known !== undefined) return { 'py/id': known };
    numbers.set(object, next);
    next += 1;
    return build();
  };

  const entries = (dict: Iterable<readonly [string, Pickled]>): { [key: string]: ExactJson } =>
    Object.fromEntries(
      Array.from(dict, ([key, item]) => {
        if (key.startsWith('py/'))
          rejectMessage(`A key of the message, ${quoted(key)}, is reserved by jsonpickle.`);
        return [key, encode(item)];
      }),
    );

  const instance = ({ className, state, attributes }: PickledInstance): ExactJson => ({
    'py/object': className,
    ...(state === undefined ? {} : { 'py/state': encode(state) }),
    ...entries(isSignatureClass(className) ? withoutApplication(attributes) : attributes),
  });

  const datetime = (value: PickledDatetime): ExactJson => {
    const { bytes, zoned } = encodeDatetime(value);
    if (zoned) next += utcNumbers;
    return {
      'py/object': 'datetime.datetime',
      __reduce__: [{ 'py/type': 'datetime.datetime' }, [bytes, ...(zoned ? [structuredClone(utc)] : [])]],
    };
  };

  const encode = (value: Pickled): ExactJson => {
    if (typeof value !== 'object' || value === null || value instanceof WholeFloat) return value;
    if (value instanceof Map) return numbered(value, () => entries(value as PickledDict));
    if (!('kind' in value)) return numbered(value, () => Array.from(value as readonly Pickled[], encode));
    switch (value.kind) {
      case 'tuple':
        return { 'py/tuple': value.items.map(encode) };
      case 'set':
        return { 'py/set': value.items.map(encode) };
      case 'bytes':
        return { 'py/b64': Buffer.from(value.bytes).toString('base64') };
      case 'type':
        return { 'py/type': value.name };
      case 'function':
        return { 'py/function': value.name };
      case 'datetime':
        return numbered(value, () => datetime(value));
      case 'objectId':
        return numbered(value, () => ({
          'py/object': 'bson.objectid.ObjectId',
          'py/state': { 'py/b64': Buffer.from(value.hex, 'hex').toString('base64') },
        }));
      case 'instance':
        return numbered(value, () => instance(value));
      case 'reduce':
        return rejectMessage('It contains an object that only Python can construct.');
      case 'cycle':
        return rejectMessage('It contains an object that refers to itself.');
    }
  };
  return encode(value);
}

/** Whether a class is Celery's `Signature` or a subclass, all of which are dictionaries in Python. */
export function isSignatureClass(className: string): boolean {
  return className.startsWith('celery.canvas.');
}

function withoutApplication(attributes: PickledDict): Iterable<[string, Pickled]> {
  return [...attributes].filter(([name]) => name !== '__dict__');
}
