import { WholeFloat } from '../../base/text/python-json.js';
import { isDict, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { quoted, rejectMessage } from '../protocol/reject-message.js';

/** How to publish a task, from the options of its signature (Celery's `apply_async`). */
export interface PublishOptions {
  /** Empty: the default exchange, which delivers to the queue `routingKey`. */
  exchange: string;
  routingKey: string;
  replyTo: string | null;
  groupId: string | null;
  groupIndex: number | null;
  shadow: string | null;
  /** Text in the format of Python's `isoformat()`, or seconds after publishing. */
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
 * @throws DsaSlurmError `message` for the queue `local`, which belongs to Girder, and for values that are not plain JSON
 */
export function readPublishOptions(task: string, options: PickledDict): PublishOptions {
  const get = (name: string): Pickled => options.get(name) ?? null;
  const reject = (name: string): never =>
    rejectMessage(`The option ${name} of the task ${quoted(task)} is invalid.`);
  const text = (name: string): string | null => {
    const value = get(name);
    if (value === null) return null;
    return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= 255
      ? value
      : reject(name);
  };
  const number = (name: string): number | null => {
    const value = get(name);
    if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value;
    return value instanceof WholeFloat ? value.value : reject(name);
  };
  const count = (name: string, largest: number): number | null => {
    const value = number(name);
    if (value === null) return null;
    return Number.isInteger(value) && value >= 0 && value <= largest ? value : reject(name);
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
  // as in Celery, a routing key without an exchange is ignored, and so is an exchange without a routing key
  const destination =
    exchange !== '' && routingKey !== null
      ? { exchange, routingKey }
      : { exchange: '', routingKey: text('queue') ?? 'celery' };
  if (destination.routingKey === 'local' || destination.exchange === 'local') {
    return rejectMessage(
      `The task ${quoted(task)} is addressed to the queue "local", which belongs to the Girder server.`,
    );
  }
  const mode = get('delivery_mode');
  return {
    ...destination,
    replyTo: text('reply_to'),
    groupId: text('group_id'),
    groupIndex: count('group_index', 2 ** 31),
    shadow: text('shadow'),
    eta: isNoCountdown(get('countdown')) ? time('eta') : number('countdown'),
    expires: time('expires'),
    retries: count('retries', 2 ** 31) ?? 0,
    timeLimits: [number('time_limit'), number('soft_time_limit')],
    priority: count('priority', 255) ?? 0,
    persistent: mode !== 1 && mode !== 'transient',
    ignoreResult: get('ignore_result') === true,
  };
}

/** Headers that the publisher adds (`apply_async(headers=…)`): plain JSON that keeps Python's number types. */
export function readOwnHeaders(task: string, headers: Pickled | undefined): Record<string, unknown> {
  return readPlain(task, headers, (value) =>
    value instanceof WholeFloat || BigInt.asIntN(64, value) === value ? value : null,
  );
}

/** A dictionary as plain JavaScript values. */
export function readPlainDict(task: string, dict: PickledDict): Record<string, unknown> {
  return readPlain(task, dict, (value) => (value instanceof WholeFloat ? value.value : null));
}

/** Maximum number of values in one dictionary. Shared parts are repeated, so a small message can contain millions. */
const maxValues = 100_000;

/** @param exact converts numbers that JavaScript lacks; null: the number is rejected */
function readPlain(
  task: string,
  dict: Pickled | undefined,
  exact: (value: bigint | WholeFloat) => unknown,
): Record<string, unknown> {
  let visited = 0;

  const plain = (value: Pickled): unknown => {
    visited += 1;
    if (visited > maxValues)
      rejectMessage(`The headers of the task ${quoted(task)} are too large for a message.`);
    if (typeof value === 'bigint' || value instanceof WholeFloat) {
      return (
        exact(value) ?? rejectMessage(`A header of the task ${quoted(task)} is a number that is too large.`)
      );
    }
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Map) return plainDict(value as PickledDict);
    if (Array.isArray(value)) return (value as readonly Pickled[]).map(plain);
    return rejectMessage(`A header of the task ${quoted(task)} is not plain JSON.`);
  };
  const plainDict = (entries: PickledDict): Record<string, unknown> =>
    Object.fromEntries(Array.from(entries, ([key, item]) => [key, plain(item)]));

  if (dict === undefined || dict === null) return {};
  return isDict(dict)
    ? plainDict(dict)
    : rejectMessage(`The headers of the task ${quoted(task)} are not a dictionary.`);
}

/** Celery ignores a countdown of 0. */
function isNoCountdown(countdown: Pickled): boolean {
  return countdown === null || countdown === 0;
}
