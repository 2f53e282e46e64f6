import { WholeFloat, type ExactJson } from '../../base/python-json.js';
import { encodeDatetime } from './pickled-bytes.js';
import type { Pickled, PickledDatetime, PickledDict, PickledInstance } from './pickled.js';
import { quoted, rejectMessage } from '../protocol/reject-message.js';

/** What jsonpickle writes for UTC; each time anew, and two more numbers, as it stands for two objects. */
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
 * jsonpickle's JSON for what `decodePickle` has read, as one document of its own: `py/id` is numbered anew, by the same
 * rules, and one object that is met twice stays one object. The pickled application and task in a Celery signature
 * (`__dict__`) are left out: whoever reads the signature uses its own.
 * @throws DsaSlurmError `message` for what cannot be written again: the inside of a `py/reduce`, which is not kept, and
 * a reference to an object that is around it.
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
          rejectMessage(`A key of the message, ${quoted(key)}, has a meaning to jsonpickle.`);
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
        return rejectMessage('It holds an object that only Python could build.');
      case 'cycle':
        return rejectMessage('It holds an object that refers to itself.');
    }
  };
  return encode(value);
}

/** `Signature` and its kinds: dictionaries in Python, whatever they are called. */
export function isSignatureClass(className: string): boolean {
  return className.startsWith('celery.canvas.');
}

function withoutApplication(attributes: PickledDict): Iterable<[string, Pickled]> {
  return [...attributes].filter(([name]) => name !== '__dict__');
}
