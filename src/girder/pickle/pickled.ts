import type { WholeFloat } from '../../base/text/python-json.js';

/**
 * Decoded jsonpickle as inert data: no class of the message is ever looked up or constructed. The data is acyclic, but an
 * object may be reached through several paths, so traversals need a limit.
 */

/** A value. A plain JSON object is a Map, so that no key of a message can affect a prototype. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Pickled[]
  | WholeFloat
  | PickledDict
  | PickledTuple
  | PickledSet
  | PickledBytes
  | PickledName
  | PickledReduce
  | PickledCycle
  | PickledDatetime
  | PickledObjectId
  | PickledInstance;

export type PickledDict = ReadonlyMap<string, Pickled>;

interface PickledTuple {
  readonly kind: 'tuple';
  readonly items: readonly Pickled[];
}

interface PickledSet {
  readonly kind: 'set';
  readonly items: readonly Pickled[];
}

interface PickledBytes {
  readonly kind: 'bytes';
  readonly bytes: Uint8Array;
}

/** The dotted name of a Python class or function. */
export interface PickledName {
  readonly kind: 'type' | 'function';
  readonly name: string;
}

/** A call with which Python would construct an object. It is not executed, and its content is discarded. */
interface PickledReduce {
  readonly kind: 'reduce';
}

/**
 * A reference to an enclosing object, which is not followed. Celery's signatures in a chain have such references; transforms
 * do not.
 */
interface PickledCycle {
  readonly kind: 'cycle';
}

export interface PickledDatetime {
  readonly kind: 'datetime';
  /** In the format of Python's `isoformat()`; microseconds only if not zero. */
  readonly iso: string;
}

/** `bson.objectid.ObjectId`, 24 lower-case hexadecimal digits. */
interface PickledObjectId {
  readonly kind: 'objectId';
  readonly hex: string;
}

/** An object of any class, supported or not. */
export interface PickledInstance {
  readonly kind: 'instance';
  readonly className: string;
  /** Its number within its document (`py/id`), which identifies the object. */
  readonly id: number;
  readonly attributes: PickledDict;
  /** `py/state`, if present. */
  readonly state: Pickled | undefined;
}

export function isDict(value: Pickled): value is PickledDict {
  return value instanceof Map;
}

export function isInstance(value: Pickled): value is PickledInstance {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'instance';
}

/** The items of a list or a tuple; null for anything else. */
export function sequenceItems(value: Pickled): readonly Pickled[] | null {
  if (typeof value !== 'object' || value === null) return null;
  if (isList(value)) return value;
  return 'kind' in value && value.kind === 'tuple' ? value.items : null;
}

export function isList(value: Pickled): value is readonly Pickled[] {
  return Array.isArray(value);
}

/** An attribute of an object; null if absent. */
export function attribute(instance: PickledInstance, name: string): Pickled {
  return instance.attributes.get(name) ?? null;
}
