import { WholeFloat } from '../../base/text/python-json.js';
import type { Pickled, PickledInstance } from './pickled.js';
import type { DecodedMessage } from '../protocol/read-message.js';
import { rejectMessage } from '../protocol/reject-message.js';

/** A decoded message as plain JSON, for display and for comparing decoders. */
export type DecoderDump = null | boolean | number | string | DecoderDump[] | { [key: string]: DecoderDump };

export interface MessageDump {
  body_container: 'tuple' | 'list';
  args: DecoderDump;
  kwargs: DecoderDump;
  embed: DecoderDump;
  girder_result_hooks: DecoderDump;
}

/** Maximum number of values. Shared parts are repeated, so a small hostile message could grow without limit. */
const maxValues = 200_000;

/**
 * Converts a decoded message to plain JSON: `$class` with `$id` for an object, `$ref` for a repeated one, `$tuple`, `$set`,
 * `$bytes_b64`, `$float` (not finite), `$type`, and objects of bson and datetime as text. `$id` counts objects in order of
 * appearance, from 0, separately for the body and each hook. The result contains the message's tokens.
 * @throws DsaSlurmError `message` if it would be too long
 */
export function dumpMessage(message: DecodedMessage): MessageDump {
  const budget = { left: maxValues };
  const body = createDumper(budget);
  return {
    body_container: message.container,
    args: body(message.args),
    kwargs: body(message.kwargs),
    embed: body(message.embed),
    girder_result_hooks: message.hooks?.map((hook) => createDumper(budget)(hook)) ?? null,
  };
}

function createDumper(budget: { left: number }): (value: Pickled) => DecoderDump {
  const ids = new Map<PickledInstance, number>();

  const dumpEntries = (entries: Iterable<readonly [string, Pickled]>): { [key: string]: DecoderDump } =>
    Object.fromEntries(Array.from(entries, ([key, value]) => [key, dump(value)]));

  const dumpInstance = (instance: PickledInstance): DecoderDump => {
    if (instance.className === 'celery.canvas.Signature') return dumpSignature(instance);
    const known = ids.get(instance);
    if (known !== undefined) return { $ref: known };
    const id = ids.size;
    ids.set(instance, id);
    const state = instance.state === undefined ? {} : { $state: dump(instance.state) };
    return { $class: instance.className, $id: id, ...state, ...dumpEntries(instance.attributes) };
  };

  /** A dictionary in Python, so it has no `$id`; its `__dict__` is a pickled Celery application. */
  const dumpSignature = ({ className, attributes }: PickledInstance): DecoderDump => ({
    $class: className,
    ...dumpEntries([...attributes].filter(([name]) => name !== '__dict__')),
  });

  const dump = (value: Pickled): DecoderDump => {
    budget.left -= 1;
    if (budget.left < 0) rejectMessage('The message is too long to show.');
    if (typeof value === 'number') return Number.isFinite(value) ? value : { $float: pythonName(value) };
    if (typeof value === 'bigint') return { $int: String(value) };
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof WholeFloat) return value.value;
    if (value instanceof Map) return dumpEntries(value);
    if (!('kind' in value)) return Array.from(value as readonly Pickled[], dump);
    switch (value.kind) {
      case 'tuple':
        return { $tuple: value.items.map(dump) };
      case 'set':
        return { $set: value.items.map(dump) };
      case 'bytes':
        return { $bytes_b64: Buffer.from(value.bytes).toString('base64') };
      case 'type':
        return { $type: value.name };
      case 'function':
        return { $function: value.name };
      case 'reduce':
        return { $reduce: null };
      case 'cycle':
        return { $cycle: null };
      case 'datetime':
        return { $class: 'datetime.datetime', $iso: value.iso };
      case 'objectId':
        return { $class: 'bson.objectid.ObjectId', $oid: value.hex };
      case 'instance':
        return dumpInstance(value);
    }
  };
  return dump;
}

function pythonName(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}
