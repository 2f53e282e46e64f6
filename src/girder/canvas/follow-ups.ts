import { createHash } from 'node:crypto';

import { errorLine } from '../../base/errors.js';
import { sequenceItems, type Pickled, type PickledDict } from '../pickle/pickled.js';
import { decodeMessage, type TaskMessage } from '../protocol/read-message.js';
import { rejectMessage } from '../protocol/reject-message.js';
import { buildFollowUp, type FollowUp } from './follow-up.js';
import { innerTasks, readSignature, signatureList, withOptions, type Signature } from './signature.js';

/** A child in the result of a task, in Celery's format: `[[id, parent], members of a group]`. */
export type TaskChild = readonly [readonly [string, TaskChild | null], readonly TaskChild[] | null];

/** What to publish when a task has ended. */
export interface FollowUps {
  /** In publishing order. */
  readonly messages: readonly FollowUp[];
  /** For the result message; empty after a failure, as in Celery. */
  readonly children: readonly TaskChild[];
  /** Why some tasks cannot be published: one sentence each. */
  readonly errors: readonly string[];
}

/** The task that ends. */
interface EndingTask extends TaskMessage {
  id: string;
  rootId: string | null;
}

/** Maximum number of messages; one signature may stand for many tasks. */
const maxMessages = 10_000;
/** Maximum number of signatures visited. Shared ones are visited repeatedly, so a small message can contain millions. */
const maxSignatures = 50_000;
/** Maximum length of all message bodies together, in characters; they may share parts, too. */
const maxText = 64 * 1024 * 1024;
/** Maximum number of error sentences, each of which goes into the log of the Girder job. */
const maxErrors = 50;

/** Options that a member of a group gets from the group; Celery numbers the members since 5.5. */
const optionsOfGroup = ['group_id', 'group_index'];

type Options = readonly (readonly [string, Pickled])[];

/** Options of a chain that apply to the chain as a whole, not to its first task. */
const optionsOfChain = ['task_id', 'group_id', 'group_index', 'link', 'link_error', 'chain'];

/**
 * What Celery publishes after a task (contract, section a, "embed"). Deterministic: ids are derived from the task's id and the
 * position in its canvas, so that a message published again after a crash is the same task. Source: celery's app/trace.py
 * (success), backends/base.py (failure) and canvas.py.
 * @throws DsaSlurmError `message` if the task itself cannot be read
 */
export function buildFollowUps(task: EndingTask, outcome: 'succeeded' | 'failed'): FollowUps {
  const { container, embed } = decodeMessage(task, { exact: true });
  const messages: FollowUp[] = [];
  const children: TaskChild[] = [];
  const errors: string[] = [];
  const lineage: Options = [
    ['root_id', task.rootId ?? task.id],
    ['parent_id', task.id],
  ];

  let visited = 0;
  let text = 0;

  const read = (value: Pickled): Signature => {
    visited += 1;
    if (visited > maxSignatures) rejectMessage('It contains too many tasks.');
    return readSignature(value);
  };

  const idFor = (place: string): string => derivedId(`${task.id} ${place}`);
  const idOf = ({ options }: Signature, place: string): string =>
    textOption(options, 'task_id') ?? idFor(place);

  function apply(signature: Signature, partial: readonly Pickled[], more: Options, place: string): TaskChild {
    switch (signature.kind) {
      case 'chain':
        return applyChain(signature, partial, more, place);
      case 'group': {
        const groupId = idOf(signature, place);
        const options = [...signature.options, ...more].filter(([name]) => name !== 'task_id');
        return [[groupId, null], applyMembers(signature, partial, options, place, groupId)];
      }
      case 'chunks':
        return rejectMessage('Celery "chunks" are not supported.');
      default:
        return applyTask(signature, partial, more, place);
    }
  }

  function applyTask(
    signature: Signature,
    partial: readonly Pickled[],
    more: Options,
    place: string,
  ): TaskChild {
    if (messages.length >= maxMessages || text >= maxText) {
      rejectMessage('It contains too many tasks.');
    }
    const message = buildFollowUp({
      task: signature.task,
      args: signature.immutable ? signature.args : prependArgs(partial, signature.args),
      kwargs: signature.kwargs,
      options: new Map([
        ['reply_to', idFor('reply')],
        ['task_id', idFor(place)],
        ...signature.options,
        // as in Celery, a task stays in the group it already has
        ...more.filter(([name]) => !optionsOfGroup.includes(name) || !signature.options.has('group_id')),
      ]),
      container,
      place,
    });
    text += message.body.length;
    messages.push(message);
    return [[message.id, null], null];
  }

  /** As in Celery, nested groups are merged into one. */
  function applyMembers(
    group: Signature,
    partial: readonly Pickled[],
    more: Options,
    place: string,
    groupId: string,
    first = 0,
  ): TaskChild[] {
    const children: TaskChild[] = [];
    for (const [index, value] of innerTasks(group).entries()) {
      const member = read(value);
      const inPlace = `${place}.${index}`;
      const number = first + children.length;
      if (member.kind === 'group') {
        children.push(...applyMembers(member, partial, more, inPlace, groupId, number));
      } else {
        const options: Options = [...more, ['group_id', groupId], ['group_index', number]];
        children.push(apply(member, partial, options, inPlace));
      }
    }
    return children;
  }

  /** Publishes the first task with the rest, whose ids are already set, as its `chain`. */
  function applyChain(
    chain: Signature,
    partial: readonly Pickled[],
    more: Options,
    place: string,
  ): TaskChild {
    const options = new Map([...chain.options, ...more]);
    const steps = flattenChain(chain, read).map((step, index, { length }) =>
      withOptions(step, stepOptions(step, options, `${place}.${index}`, index === length - 1)),
    );
    const [first, ...rest] = steps;
    if (first === undefined) return rejectMessage('It is a chain without tasks.');
    const behind = [...signatureList(options.get('chain')), ...rest.map(({ source }) => source).reverse()];
    const inherited = [...options].filter(([name]) => !optionsOfChain.includes(name));
    const args = chain.immutable ? chain.args : prependArgs(partial, chain.args);
    const head = apply(first, sequenceItems(args) ?? [], [...inherited, ['chain', behind]], `${place}.0`);
    return rest.reduce<TaskChild>(
      (before, step, index) => [[idOf(step, `${place}.${index + 1}`), before], null],
      head,
    );
  }

  function stepOptions(step: Signature, chain: PickledDict, place: string, isLast: boolean): Options {
    if (step.kind !== null) return [];
    const given: [string, Pickled][] = [
      ['task_id', (isLast ? textOption(chain, 'task_id') : null) ?? idFor(place)],
      ['reply_to', idFor('reply')],
    ];
    for (const name of isLast ? ['group_id', 'group_index'] : []) given.push([name, chain.get(name) ?? null]);
    const links = (isLast ? ['link', 'link_error'] : ['link_error']).flatMap((name): Options => {
      const added = signatureList(chain.get(name));
      return added.length === 0 ? [] : [[name, [...signatureList(step.options.get(name)), ...added]]];
    });
    return [
      ...given.filter(([name, value]) => value !== null && !step.options.has(name)),
      ['root_id', chain.get('root_id') ?? null],
      ...links,
    ];
  }

  /** Publishes one signature completely, or nothing of it and records an error. */
  function attempt(what: string, work: () => TaskChild): TaskChild | null {
    const before = messages.length;
    try {
      return work();
    } catch (error) {
      messages.length = before;
      const sentence = `A follow-up task (${what}) cannot be started. ${errorLine(error)}`;
      if (errors.length < maxErrors) errors.push(sentence);
      return null;
    }
  }

  /** Publishes several signatures, as one group if `grouped`, as Celery does. */
  function applyAll(
    what: string,
    values: readonly Pickled[],
    partial: readonly Pickled[],
    grouped: boolean,
  ): void {
    const groupId = idFor(what);
    const members: TaskChild[] = [];
    for (const [index, value] of values.entries()) {
      const place = `${what}.${index}`;
      const isMember = grouped && !isGroup(value);
      const more: Options = isMember
        ? [...lineage, ['group_id', groupId], ['group_index', members.length]]
        : lineage;
      const child = attempt(what, () => apply(read(value), partial, more, place));
      if (child !== null) (isMember ? members : children).push(isMember ? child : headOf(child));
    }
    if (members.length > 0) children.push([[groupId, null], members]);
  }

  if (outcome === 'failed') {
    applyAll('link_error', signatureList(embed.get('errbacks')), [task.id], true);
    return { messages, children: [], errors };
  }
  const callbacks = signatureList(embed.get('callbacks'));
  applyAll('link', callbacks, [null], callbacks.length > 1);
  const chain = signatureList(embed.get('chain'));
  const next = chain.at(-1);
  if (next !== undefined) {
    const more: Options = [...lineage, ['chain', chain.slice(0, -1)]];
    const child = attempt('chain', () => apply(read(next), [null], more, 'chain'));
    if (child !== null) children.push(headOf(child));
  }
  return { messages, children, errors };
}

/** A task in the chain of one that has failed. Celery publishes a result for it, too. */
export interface NeverStarted {
  readonly id: string;
  readonly replyTo: string | null;
}

/** The tasks after a failed one whose ids the publisher knows. Source: celery's backends/base.py, `mark_as_failure`. */
export function neverStarted(task: TaskMessage): NeverStarted[] {
  const { embed } = decodeMessage(task);
  return signatureList(embed.get('chain')).flatMap((value) => {
    try {
      const { options } = readSignature(value);
      const id = textOption(options, 'task_id');
      return id === null ? [] : [{ id, replyTo: textOption(options, 'reply_to') }];
    } catch {
      return [];
    }
  });
}

/** The steps of a chain. As in Celery, nested chains are flattened, and a group with one task becomes that task. */
function flattenChain(chain: Signature, read: (value: Pickled) => Signature): Signature[] {
  return innerTasks(chain).flatMap((value) => {
    const step = read(value);
    if (step.kind === 'chain') return flattenChain(step, read);
    const [only, ...more] = step.kind === 'group' ? innerTasks(step) : [];
    return only !== undefined && more.length === 0 ? read(only) : step;
  });
}

/** The arguments with the results of the previous task in front. */
function prependArgs(partial: readonly Pickled[], args: Pickled): Pickled {
  if (partial.length === 0) return args;
  return { kind: 'tuple', items: [...partial, ...(sequenceItems(args) ?? [])] };
}

/** The first task of a chain, which is the one that the parent's result lists. */
function headOf(child: TaskChild): TaskChild {
  const [[, before]] = child;
  return before === null ? child : headOf(before);
}

function isGroup(value: Pickled): boolean {
  try {
    return readSignature(value).kind === 'group';
  } catch {
    return false;
  }
}

function textOption(options: PickledDict, name: string): string | null {
  const value = options.get(name);
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= 255 ? value : null;
}

/** A UUID (version 8) derived from a text. */
function derivedId(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
