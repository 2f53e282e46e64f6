import { parseExactJson, parsePythonJson } from '../../base/text/python-json.js';
import { decodePickle } from '../pickle/jsonpickle.js';
import { isDict, isList, sequenceItems, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { rejectMessage } from './reject-message.js';

/** The parts of a task message that Girder fills in. Contains tokens: never log it. */
export interface TaskMessage {
  /** As received over AMQP: JSON values. */
  headers: Readonly<Record<string, unknown>>;
  /** UTF-8 JSON text: a jsonpickle tuple, or a plain array (`send_task`). */
  body: string;
}

/** A decoded task message. Every hook is a separate document with its own `py/id` numbers. */
export interface DecodedMessage {
  /** The type of the sequence that holds the three parts of the body. */
  container: 'tuple' | 'list';
  args: Pickled;
  kwargs: PickledDict;
  embed: PickledDict;
  /** Header `girder_result_hooks`; null if absent. */
  hooks: readonly Pickled[] | null;
}

/**
 * Decodes `(args, kwargs, embed)` and the result hooks of a task message.
 * @param exact keep whole floats as floats, for callers that encode parts of the message again
 * @throws DsaSlurmError `message`
 */
export function decodeMessage({ headers, body }: TaskMessage, { exact = false } = {}): DecodedMessage {
  const document = decodePickle(exact ? parseExactJson(body) : parsePythonJson(body));
  const [args, kwargs, embed, ...more] = sequenceItems(document) ?? [];
  if (args === undefined || kwargs === undefined || embed === undefined || more.length > 0) {
    return rejectMessage('The message body does not have the three parts of a Celery task.');
  }
  if (sequenceItems(args) === null || !isDict(kwargs) || !isDict(embed)) {
    return rejectMessage('The message body does not have the arguments of a Celery task.');
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
