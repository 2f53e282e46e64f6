import { WholeFloat } from '../../base/python-json.js';
import type { Pickled, PickledInstance } from './pickled.js';
import type { DecodedMessage } from '../protocol/read-message.js';
import { rejectMessage } from '../protocol/reject-message.js';

/** JSON that shows a decoded message so that two decoders can be compared. */
export type DecoderDump = null | boolean | number | string | DecoderDump[] | { [key: string]: DecoderDump };

export interface MessageDump {
  body_container: 'tuple' | 'list';
  args: DecoderDump;
  kwargs: DecoderDump;
  embed: DecoderDump;
  girder_result_hooks: DecoderDump;
}

/** Shared parts are written out each time, so a small hostile message could grow without end. */
const maxShown = 200_000;

/**
 * A decoded message in plain JSON: `$class` with `$id` for an object, `$ref` for a further mention of it, `$tuple`,
 * `$set`, `$bytes_b64`, `$float` (not finite), `$type`, and objects of bson and datetime as text. `$id` counts objects in
 * order of appearance, from 0, once for the body and anew for each hook. Holds the message's tokens.
 * @throws DsaSlurmError `message` if it would be too long to show.
 */
export function dumpMessage(message: DecodedMessage): MessageDump {
  const budget = { left: maxShown };
  const body = createShow(budget);
  return {
    body_container: message.container,
    args: body(message.args),
    kwargs: body(message.kwargs),
    embed: body(message.embed),
    girder_result_hooks: message.hooks?.map((hook) => createShow(budget)(hook)) ?? null,
  };
}

function createShow(budget: { left: number }): (value: Pickled) => DecoderDump {
  const ids = new Map<PickledInstance, number>();

  const showEntries = (entries: Iterable<readonly [string, Pickled]>): { [key: string]: DecoderDump } =>
    Object.fromEntries(Array.from(entries, ([key, value]) => [key, show(value)]));

  const showInstance = (instance: PickledInstance): DecoderDump => {
    if (instance.className === 'celery.canvas.Signature') return showSignature(instance);
    const known = ids.get(instance);
    if (known !== undefined) return { $ref: known };
    const id = ids.size;
    ids.set(instance, id);
    const state = instance.state === undefined ? {} : { $state: show(instance.state) };
    return { $class: instance.className, $id: id, ...state, ...showEntries(instance.attributes) };
  };

  /** A dictionary in Python, hence without `$id`; its `__dict__` is a pickled Celery application. */
  const showSignature = ({ className, attributes }: PickledInstance): DecoderDump => ({
    $class: className,
    ...showEntries([...attributes].filter(([name]) => name !== '__dict__')),
  });

  const show = (value: Pickled): DecoderDump => {
    budget.left -= 1;
    if (budget.left < 0) rejectMessage('The message is too long to be shown.');
    if (typeof value === 'number') return Number.isFinite(value) ? value : { $float: pythonName(value) };
    if (typeof value === 'bigint') return { $int: String(value) };
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof WholeFloat) return value.value;
    if (value instanceof Map) return showEntries(value);
    if (!('kind' in value)) return Array.from(value as readonly Pickled[], show);
    switch (value.kind) {
      case 'tuple':
        return { $tuple: value.items.map(show) };
      case 'set':
        return { $set: value.items.map(show) };
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
        return showInstance(value);
    }
  };
  return show;
}

function pythonName(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}
