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

/** A Celery signature: a task that is to be published later (contract, section a). */
export interface Signature {
  readonly task: string;
  /** A list or a tuple. */
  readonly args: Pickled;
  readonly kwargs: PickledDict;
  /** What `apply_async` is to be told; and what Celery has decided about the task already, such as its id. */
  readonly options: PickledDict;
  /** `chain`, `group`, …; null for a plain task. */
  readonly kind: string | null;
  /** Takes no result of the task before it. */
  readonly immutable: boolean;
  /** As it came. */
  readonly source: Pickled;
}

/**
 * Reads a signature: an object of `celery.canvas`, or the plain dictionary that Celery's own JSON makes of one.
 * @throws DsaSlurmError `message`
 */
export function readSignature(value: Pickled): Signature {
  const parts = signatureParts(value) ?? rejectMessage('It holds something else than a Celery signature.');
  const task = parts.get('task');
  if (typeof task !== 'string' || !/^\P{Cc}{1,255}$/u.test(task)) return rejectMessage('It names no task.');
  const args = parts.get('args') ?? [];
  const kwargs = parts.get('kwargs') ?? new Map<string, Pickled>();
  const options = parts.get('options') ?? new Map<string, Pickled>();
  const kind = parts.get('subtask_type') ?? null;
  if (sequenceItems(args) === null || !isDict(kwargs) || !isDict(options)) {
    return rejectMessage(`The task ${quoted(task)} has arguments or options that are none.`);
  }
  if (kind !== null && typeof kind !== 'string')
    return rejectMessage(`The task ${quoted(task)} is of no known kind.`);
  return { task, args, kwargs, options, kind, immutable: parts.get('immutable') === true, source: value };
}

/** The same signature with further options, as `celery.canvas` writes them into it. */
export function withOptions(signature: Signature, more: Iterable<readonly [string, Pickled]>): Signature {
  const options = new Map([...signature.options, ...more]);
  const parts = new Map(signatureParts(signature.source)).set('options', options);
  const source: Pickled = isInstance(signature.source) ? { ...signature.source, attributes: parts } : parts;
  return { ...signature, options, source };
}

/** The signatures in a chain or a group. */
export function innerTasks({ task, kwargs }: Signature): readonly Pickled[] {
  return sequenceItems(kwargs.get('tasks') ?? null) ?? rejectMessage(`The ${quoted(task)} names no tasks.`);
}

/** One signature, a list of them, or none: Celery takes all three for `link` and `chain`. */
export function signatureList(value: Pickled | undefined): readonly Pickled[] {
  if (value === undefined || value === null) return [];
  return sequenceItems(value) ?? [value];
}

function signatureParts(value: Pickled): PickledDict | null {
  if (isDict(value)) return value;
  return isInstance(value) && isSignatureClass(value.className) && !isList(value) ? value.attributes : null;
}
