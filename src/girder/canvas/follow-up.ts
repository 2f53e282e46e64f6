import { parseExactJson, writePythonJson } from '../../base/text/python-json.js';
import { transformName } from '../protocol/classes.js';
import { encodePickle } from '../pickle/encode-pickle.js';
import { isDict, isInstance, sequenceItems, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { quoted, rejectMessage } from '../protocol/reject-message.js';
import { readOwnHeaders, readPlainDict, readPublishOptions, type PublishOptions } from './publish-options.js';
import { pythonRepr } from './python-repr.js';
import { signatureList } from './signature.js';

/** A task to publish after another one. Contains tokens: never log it. */
export interface FollowUp extends PublishOptions {
  /** Its position in the canvas, which identifies it in the journal. */
  readonly place: string;
  readonly id: string;
  readonly task: string;
  readonly rootId: string | null;
  readonly parentId: string | null;
  readonly argsrepr: string;
  readonly kwargsrepr: string;
  /** In the publisher's format: jsonpickle or plain JSON. */
  readonly body: string;
  /** Headers set by the publisher, including those of Girder. */
  readonly ownHeaders: Readonly<Record<string, unknown>>;
  /** Value of the header `girder_result_hooks`; null if absent. */
  readonly hooks: readonly Pickled[] | null;
  /** The Girder job to create if its parent has a token for that; null for Celery's own tasks. */
  readonly girderJob: FollowUpJob | null;
}

/** From the task options of `girder_worker`, with its defaults. */
interface FollowUpJob {
  readonly title: string;
  readonly type: string;
  readonly handler: string;
  readonly public: boolean;
  /** JSON of the positional arguments, for display. */
  readonly args: string;
  readonly otherFields: Readonly<Record<string, unknown>>;
}

/** Options or keyword arguments of a task that become headers of the message. Source: girder_worker's task.py. */
const girderHeaders = ['girder_client_token', 'girder_api_url', 'girder_client_session_kwargs'] as const;
const girderOptions = [
  ...girderHeaders,
  'girder_result_hooks',
  'girder_user',
  'girder_job_title',
  'girder_job_type',
  'girder_job_public',
  'girder_job_handler',
  'girder_job_other_fields',
  'girder_job_disable',
];

interface FollowUpParts {
  task: string;
  args: Pickled;
  kwargs: PickledDict;
  /** All options, including its id. */
  options: PickledDict;
  /** The format of the parent's body: jsonpickle uses a tuple, plain JSON a list. */
  container: 'tuple' | 'list';
  place: string;
}

/**
 * Builds the message of one task, without the parts that are known only when it is published.
 * @throws DsaSlurmError `message` for values that cannot be encoded and options that are not supported
 */
export function buildFollowUp({ task, args, kwargs, options, container, place }: FollowUpParts): FollowUp {
  const girder = new Map([...options, ...kwargs].filter(([name]) => girderOptions.includes(name)));
  const ownKwargs = new Map([...kwargs].filter(([name]) => !girder.has(name)));
  const id = options.get('task_id');
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > 255) {
    return rejectMessage(`The task ${quoted(task)} has an invalid id.`);
  }
  const list = (name: string): Pickled => {
    const signatures = signatureList(options.get(name));
    return signatures.length === 0 && (options.get(name) ?? null) === null ? null : signatures;
  };
  const embed = new Map<string, Pickled>([
    ['callbacks', list('link')],
    ['errbacks', list('link_error')],
    ['chain', list('chain')],
    ['chord', null],
  ]);
  const parts =
    container === 'list' ? [sequenceItems(args) ?? [], ownKwargs, embed] : [args, ownKwargs, embed];
  const hooks = readHooks(task, girder.get('girder_result_hooks'));
  return {
    ...readPublishOptions(task, options),
    place,
    id,
    task,
    rootId: textOf(options.get('root_id')),
    parentId: textOf(options.get('parent_id')),
    argsrepr: pythonRepr({ kind: 'tuple', items: sequenceItems(args) ?? [] }),
    kwargsrepr: pythonRepr(ownKwargs),
    body: writePythonJson(encodePickle(container === 'list' ? parts : { kind: 'tuple', items: parts })),
    ownHeaders: {
      ...readOwnHeaders(task, options.get('headers')),
      ...readOwnHeaders(
        task,
        new Map([...girder].filter(([name]) => girderHeaders.some((known) => known === name))),
      ),
    },
    hooks,
    girderJob: isForGirder(task, girder) ? readJob(task, args, girder) : null,
  };
}

/** Maximum length of all hooks together, in characters. */
const maxHooks = 1024 * 1024;

/** Encodes the header `girder_result_hooks`: each hook is a separate document and names the Girder job of its task. */
export function encodeHooks(hooks: readonly Pickled[], girderJobId: string | null): unknown[] {
  let text = 0;
  return hooks.map((hook) => {
    if (text > maxHooks) rejectMessage('Its result hooks are too large for a message.');
    const job: readonly [string, Pickled][] =
      girderJobId === null ? [] : [['job', new Map([['_id', girderJobId]])]];
    const isUpload = isInstance(hook) && transformName(hook) !== null;
    const known = isUpload ? { ...hook, attributes: new Map([...hook.attributes, ...job]) } : hook;
    const written = writePythonJson(encodePickle(known));
    text += written.length;
    return parseExactJson(written);
  });
}

function readHooks(task: string, value: Pickled | undefined): readonly Pickled[] | null {
  if (value === undefined || value === null) return null;
  const hooks =
    sequenceItems(value) ?? rejectMessage(`The result hooks of the task ${quoted(task)} are not a list.`);
  // detects hooks that cannot be encoded before the parent runs
  encodeHooks(hooks, null);
  return hooks;
}

/** Celery's own tasks, such as `celery.map`, have no Girder job. */
function isForGirder(task: string, girder: PickledDict): boolean {
  return !task.startsWith('celery.') && girder.get('girder_job_disable') !== true;
}

function readJob(task: string, args: Pickled, girder: PickledDict): FollowUpJob {
  const text = (name: string, otherwise: string): string => textOf(girder.get(name)) ?? otherwise;
  const fields = girder.get('girder_job_other_fields') ?? null;
  return {
    title: text('girder_job_title', '<unnamed job>'),
    type: text('girder_job_type', 'celery'),
    handler: text('girder_job_handler', 'celery_handler'),
    public: girder.get('girder_job_public') === true,
    args: JSON.stringify((sequenceItems(args) ?? []).map(displayArgument)),
    otherFields: isDict(fields) ? readPlainDict(task, fields) : {},
  };
}

/** Everyone who can see the Girder job sees its arguments, so objects, which may contain tokens, are not shown. */
function displayArgument(value: Pickled): unknown {
  const isPlain = value === null || typeof value === 'number' || typeof value === 'boolean';
  return isPlain ? value : pythonRepr(value).replace(/^'(?<text>.*)'$/s, '$<text>');
}

function textOf(value: Pickled | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
