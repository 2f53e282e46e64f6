import { WholeFloat } from '../../base/python-json.js';
import { isDict, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { quoted, rejectMessage } from '../protocol/reject-message.js';

/** Where and how a task is to be published, from the options of its signature: Celery's `apply_async`. */
export interface PublishOptions {
  /** Empty: straight to the queue that `routingKey` names. */
  exchange: string;
  routingKey: string;
  replyTo: string | null;
  groupId: string | null;
  groupIndex: number | null;
  shadow: string | null;
  /** Text as Python's `isoformat()` writes it, or seconds from when it is published. */
  eta: string | number | null;
  expires: string | number | null;
  retries: number;
  /** Hard and soft, in seconds. */
  timeLimits: [number | null, number | null];
  priority: number;
  persistent: boolean;
  ignoreResult: boolean;
}

/**
 * @throws DsaSlurmError `message` for options that cannot be honoured: the queue `local`, which is Girder's own, and
 * values that only Python could read.
 */
export function readPublishOptions(task: string, options: PickledDict): PublishOptions {
  const get = (name: string): Pickled => options.get(name) ?? null;
  const bad = (name: string): never =>
    rejectMessage(`The option ${name} of the task ${quoted(task)} is nothing that can be used here.`);
  const text = (name: string): string | null => {
    const value = get(name);
    if (value === null) return null;
    return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= 255 ? value : bad(name);
  };
  const number = (name: string): number | null => {
    const value = get(name);
    if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value;
    return value instanceof WholeFloat ? value.value : bad(name);
  };
  const count = (name: string, largest: number): number | null => {
    const value = number(name);
    if (value === null) return null;
    return Number.isInteger(value) && value >= 0 && value <= largest ? value : bad(name);
  };
  const time = (name: string): string | number | null => {
    const value = get(name);
    if (typeof value === 'string' && value.length <= 40) return value;
    if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'datetime')
      return value.iso;
    return number(name);
  };

  const exchange = text('exchange') ?? '';
  const routingKey = text('routing_key');
  // as Celery: a routing key without an exchange, and an exchange without a routing key, are not looked at
  const destination =
    exchange !== '' && routingKey !== null
      ? { exchange, routingKey }
      : { exchange: '', routingKey: text('queue') ?? 'celery' };
  if (destination.routingKey === 'local' || destination.exchange === 'local') {
    return rejectMessage(
      `The task ${quoted(task)} is meant for the queue "local", which belongs to the Girder server itself.`,
    );
  }
  const mode = get('delivery_mode');
  return {
    ...destination,
    replyTo: text('reply_to'),
    groupId: text('group_id'),
    groupIndex: count('group_index', 2 ** 31),
    shadow: text('shadow'),
    eta: isNothing(get('countdown')) ? time('eta') : number('countdown'),
    expires: time('expires'),
    retries: count('retries', 2 ** 31) ?? 0,
    timeLimits: [number('time_limit'), number('soft_time_limit')],
    priority: count('priority', 255) ?? 0,
    persistent: mode !== 1 && mode !== 'transient',
    ignoreResult: get('ignore_result') === true,
  };
}

/** Headers that the publisher adds (`apply_async(headers=…)`): plain JSON, with Python's numbers as they are. */
export function readOwnHeaders(task: string, headers: Pickled | undefined): Record<string, unknown> {
  return readPlain(task, headers, (value) =>
    value instanceof WholeFloat || BigInt.asIntN(64, value) === value ? value : null,
  );
}

/** A dictionary as JSON for JavaScript, which has fewer kinds of numbers. */
export function readPlainDict(task: string, dict: PickledDict): Record<string, unknown> {
  return readPlain(task, dict, (value) => (value instanceof WholeFloat ? value.value : null));
}

/** Values of one dictionary: a part that is met twice is written twice, and a few lines can hold millions. */
const maxValues = 100_000;

/** @param exact what becomes of numbers that JavaScript lacks; null: they are refused */
function readPlain(
  task: string,
  dict: Pickled | undefined,
  exact: (value: bigint | WholeFloat) => unknown,
): Record<string, unknown> {
  let seen = 0;

  const plain = (value: Pickled): unknown => {
    seen += 1;
    if (seen > maxValues)
      rejectMessage(`The headers of the task ${quoted(task)} are larger than a message can carry.`);
    if (typeof value === 'bigint' || value instanceof WholeFloat) {
      return exact(value) ?? rejectMessage(`A header of the task ${quoted(task)} is too large a number.`);
    }
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Map) return plainDict(value as PickledDict);
    if (Array.isArray(value)) return (value as readonly Pickled[]).map(plain);
    return rejectMessage(`A header of the task ${quoted(task)} is no plain JSON.`);
  };
  const plainDict = (entries: PickledDict): Record<string, unknown> =>
    Object.fromEntries(Array.from(entries, ([key, item]) => [key, plain(item)]));

  if (dict === undefined || dict === null) return {};
  return isDict(dict)
    ? plainDict(dict)
    : rejectMessage(`The headers of the task ${quoted(task)} are no dictionary.`);
}

/** Celery takes a countdown of 0 for none. */
function isNothing(countdown: Pickled): boolean {
  return countdown === null || countdown === 0;
}
