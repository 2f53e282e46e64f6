import { parseExactJson, parsePythonJson } from '../../base/python-json.js';
import { decodePickle } from '../pickle/jsonpickle.js';
import { isDict, isList, sequenceItems, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { rejectMessage } from './reject-message.js';

/** The parts of a task message that hold Girder's vocabulary. Holds tokens: never log it. */
export interface TaskMessage {
  /** As they came over AMQP: already JSON values. */
  headers: Readonly<Record<string, unknown>>;
  /** UTF-8 JSON text: a jsonpickle tuple, or a plain array (`send_task`). */
  body: string;
}

/** A task message, decoded. Every hook is a document of its own, with its own `py/id` numbers. */
export interface DecodedMessage {
  /** How the three parts of the body were held together. */
  container: 'tuple' | 'list';
  args: Pickled;
  kwargs: PickledDict;
  embed: PickledDict;
  /** Header `girder_result_hooks`; null where it is absent. */
  hooks: readonly Pickled[] | null;
}

/**
 * Decodes `(args, kwargs, embed)` and the result hooks of a task message.
 * @param exact whole floats stay floats, for who writes parts of it again
 * @throws DsaSlurmError `message`
 */
export function decodeMessage({ headers, body }: TaskMessage, { exact = false } = {}): DecodedMessage {
  const document = decodePickle(exact ? parseExactJson(body) : parsePythonJson(body));
  const [args, kwargs, embed, ...more] = sequenceItems(document) ?? [];
  if (args === undefined || kwargs === undefined || embed === undefined || more.length > 0) {
    return rejectMessage('The body of the message does not have the three parts of a Celery task.');
  }
  if (sequenceItems(args) === null || !isDict(kwargs) || !isDict(embed)) {
    return rejectMessage('The body of the message does not hold arguments as a Celery task has them.');
  }
  const container = isList(document) ? 'list' : 'tuple';
  return { container, args, kwargs, embed, hooks: decodeHooks(headers['girder_result_hooks']) };
}

function decodeHooks(header: unknown): readonly Pickled[] | null {
  if (header === undefined || header === null) return null;
  if (!Array.isArray(header))
    return rejectMessage('The header girder_result_hooks of the message is not a list.');
  return header.map(decodePickle);
}
