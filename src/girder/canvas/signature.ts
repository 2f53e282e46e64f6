import { isSignatureClass } from '../pickle/encode-pickle.js';
import {
  isDict,
  isInstance,
  isList,
  sequenceItems,
  type Pickled,
  type PickledDict,
} from '../pickle/pickled.js';
import { quoted, rejectMessage } from '../protocol/reject-message.js';

/** A Celery signature: a task to publish later (contract, section a). */
export interface Signature {
  readonly task: string;
  /** A list or a tuple. */
  readonly args: Pickled;
  readonly kwargs: PickledDict;
  /** Options of `apply_async`, including those that Celery has already set, such as the id. */
  readonly options: PickledDict;
  /** `chain`, `group`, …; null for a plain task. */
  readonly kind: string | null;
  /** Does not receive the result of the previous task. */
  readonly immutable: boolean;
  /** As received. */
  readonly source: Pickled;
}

/**
 * Reads a signature: an object of `celery.canvas`, or a plain dictionary as in Celery's JSON.
 * @throws DsaSlurmError `message`
 */
export function readSignature(value: Pickled): Signature {
  const parts = signatureParts(value) ?? rejectMessage('It is not a Celery signature.');
  const task = parts.get('task');
  if (typeof task !== 'string' || !/^\P{Cc}{1,255}$/u.test(task))
    return rejectMessage('It does not name a task.');
  const args = parts.get('args') ?? [];
  const kwargs = parts.get('kwargs') ?? new Map<string, Pickled>();
  const options = parts.get('options') ?? new Map<string, Pickled>();
  const kind = parts.get('subtask_type') ?? null;
  if (sequenceItems(args) === null || !isDict(kwargs) || !isDict(options)) {
    return rejectMessage(`The task ${quoted(task)} has malformed arguments or options.`);
  }
  if (kind !== null && typeof kind !== 'string')
    return rejectMessage(`The task ${quoted(task)} is of an unknown kind.`);
  return { task, args, kwargs, options, kind, immutable: parts.get('immutable') === true, source: value };
}

/** The same signature with additional options. */
export function withOptions(signature: Signature, more: Iterable<readonly [string, Pickled]>): Signature {
  const options = new Map([...signature.options, ...more]);
  const parts = new Map(signatureParts(signature.source)).set('options', options);
  const source: Pickled = isInstance(signature.source) ? { ...signature.source, attributes: parts } : parts;
  return { ...signature, options, source };
}

/** The signatures in a chain or a group. */
export function innerTasks({ task, kwargs }: Signature): readonly Pickled[] {
  return (
    sequenceItems(kwargs.get('tasks') ?? null) ?? rejectMessage(`The ${quoted(task)} does not contain tasks.`)
  );
}

/** For `link` and `chain`, Celery accepts one signature, a list of them, or none. */
export function signatureList(value: Pickled | undefined): readonly Pickled[] {
  if (value === undefined || value === null) return [];
  return sequenceItems(value) ?? [value];
}

function signatureParts(value: Pickled): PickledDict | null {
  if (isDict(value)) return value;
  return isInstance(value) && isSignatureClass(value.className) && !isList(value) ? value.attributes : null;
}
