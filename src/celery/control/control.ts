import { runInNewContext } from 'node:vm';
import { coerceError, errorLine } from '../../base/errors.js';
import { parsePythonJson, type PythonJson } from '../../base/python-json.js';
import {
  activeQueues,
  configuration,
  queriedTasks,
  report,
  scheduledTask,
  stats,
  taskInfo,
  type ControlContext,
} from './control-replies.js';
import type { ControlTarget } from './control-target.js';
import { pythonRepr } from '../messages/python-repr.js';
import { isTaskId } from '../messages/task.js';
import { replyExchange } from '../amqp/topology.js';

/** One request from the control exchange (contract, section g). */
export interface ControlRequest {
  method: string;
  arguments: { [key: string]: PythonJson };
  destination: PythonJson[] | null;
  pattern: string | null;
  matcher: string | null;
  /** Goes back to the caller as it came. */
  ticket: string | null;
  /** Where the caller listens; null if it wants no answer, as Girder's own `revoke`. */
  replyKey: string | null;
}

/**
 * Reads a request.
 * @throws DsaSlurmError `message` if it is not JSON; Error if it has another shape
 */
export function readControlRequest(text: string): ControlRequest {
  const body = tableOf(parsePythonJson(text));
  const method = body?.['method'];
  if (body === null || typeof method !== 'string') throw new Error('It is no request with a method.');
  const replyTo = tableOf(body['reply_to']);
  // Any other exchange would let a caller make us publish into the task queue, and an absent one closes the channel.
  if (replyTo !== null && replyTo['exchange'] !== replyExchange) {
    throw new Error('It wants its answer somewhere else than in the reply exchange.');
  }
  const key = textOf(replyTo?.['routing_key']);
  if (key !== null && Buffer.byteLength(key) > 255) throw new Error('Its reply address is too long.');
  const { destination } = body;
  return {
    method,
    arguments: tableOf(body['arguments']) ?? {},
    destination: typeof destination === 'string' ? [destination] : listOf(destination),
    pattern: textOf(body['pattern']),
    matcher: textOf(body['matcher']),
    ticket: textOf(body['ticket']),
    replyKey: key,
  };
}

/** Whether a request is for this node: by name, by pattern, or for everyone. A bad pattern is for nobody. */
export function isAddressedTo(
  nodeName: string,
  { destination, pattern, matcher }: Pick<ControlRequest, 'destination' | 'pattern' | 'matcher'>,
): boolean {
  if (destination !== null && destination.length > 0) return destination.includes(nodeName);
  if (pattern === null || matcher === null || pattern === '' || matcher === '') return true;
  if (pattern.length > 1_000) return false;
  switch (matcher) {
    case 'glob':
      return fnmatch(pattern, nodeName);
    case 'pcre':
      return matchesWithin(pattern, nodeName);
    default:
      return false;
  }
}

/**
 * Whether `text` begins with a match of a foreign regular expression. An expression can be written so that it takes
 * years; V8 interrupts one only when it runs inside a script with a time limit.
 */
function matchesWithin(source: string, text: string): boolean {
  try {
    return runInNewContext('new RegExp(source, "sy").test(text)', { source, text }, { timeout: 50 }) === true;
  } catch {
    return false;
  }
}

/**
 * Python's fnmatch: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`. Compares without a regular expression, so that no time limit is
 * needed, which on a busy machine would decide whom a message is for.
 */
export function fnmatch(glob: string, text: string): boolean {
  const parts = glob.match(/\*+|\[!?\]?[^\]]*\]|[^]/g) ?? [];
  let [at, star, resume] = [0, -1, 0];
  let from = 0;
  while (from < text.length) {
    const part = parts[at];
    if (part?.startsWith('*') === true) {
      star = at;
      at += 1;
      resume = from;
    } else if (part !== undefined && matchesOne(part, text[from] ?? '')) {
      at += 1;
      from += 1;
    } else if (star === -1) return false;
    else {
      // the last star takes one character more
      at = star + 1;
      resume += 1;
      from = resume;
    }
  }
  while (parts[at]?.startsWith('*') === true) at += 1;
  return at === parts.length;
}

/** @param part `?`, `[a-z]`, `[!abc]` or a character that stands for itself */
function matchesOne(part: string, character: string): boolean {
  if (part === '?') return true;
  if (part.length === 1) return part === character;
  const isNot = part[1] === '!';
  const set = part.slice(isNot ? 2 : 1, -1);
  const isIn = [...set.matchAll(/([^])-([^])|[^]/g)].some(([single, first, last]) =>
    first === undefined || last === undefined
      ? single === character
      : first <= character && character <= last,
  );
  return isIn !== isNot;
}

type Answer = (args: { [key: string]: PythonJson }, target: ControlTarget, site: ControlContext) => unknown;

const ok = (text: string) => ({ ok: text });
const unsupported = (why: string) => () => ({ error: why });

const noPool = unsupported(
  'There is no pool of processes here: each task runs as a job. How many may be in flight is the setting worker.inFlight.',
);
const noQueues = unsupported('The queues of this worker are its setting broker.queues.');
const noTimeLimit = unsupported(
  'Not supported: a task may run as long as its job, which settings such as slurm.time and Slurm itself limit.',
);
const noRateLimit = unsupported(
  'Not supported: tasks are taken up as they come. How many may be in flight is the setting worker.inFlight.',
);

/** Every method that Celery 5 knows and a caller could miss (contract, section g). */
const answers = new Map<string, Answer>([
  ['ping', () => ok('pong')],
  ['report', (_, __, site) => ok(report(site))],
  ['stats', (_, target, site) => stats(target, site)],
  ['conf', (_, __, site) => configuration(site)],
  ['clock', (_, __, site) => ({ clock: site.clock.value() })],
  ['hello', (_, target, site) => hello(target, site)],
  ['active', (_, target, site) => target.active().map((task) => taskInfo(task, site))],
  ['reserved', (_, target, site) => target.reserved().map((task) => taskInfo(task, site))],
  ['scheduled', (_, target, site) => target.scheduled().map((task) => scheduledTask(task, site))],
  ['revoked', (_, target) => target.revoked()],
  ['registered', (_, target) => target.registered().toSorted()],
  ['active_queues', (_, __, site) => activeQueues(site)],
  ['query_task', (args, target, site) => queriedTasks(idsOf(args['ids']), target, site)],
  ['revoke', (args, target) => revoke(args, target, args['terminate'] === true)],
  ['terminate', (args, target) => revoke(args, target, true)],
  ['revoke_by_stamped_headers', unsupported('Stamped headers are not kept here. Revoke by task id.')],
  ['enable_events', (_, __, site) => setTaskEvents(true, site)],
  ['disable_events', (_, __, site) => setTaskEvents(false, site)],
  ['heartbeat', (_, __, site) => heartbeat(site)],
  ['pool_grow', noPool],
  ['pool_shrink', noPool],
  ['autoscale', noPool],
  ['time_limit', noTimeLimit],
  ['rate_limit', noRateLimit],
  ['add_consumer', noQueues],
  ['cancel_consumer', noQueues],
  ['pool_restart', unsupported('Restart this worker where it was started: dsa-slurm worker.')],
  ['shutdown', (_, target) => shutdown(target)],
]);

/**
 * Does what a request asks and gives the value of the answer, JSON-ready; undefined: there is none, as for Celery's
 * `shutdown`. Never throws.
 */
export function answerControl(request: ControlRequest, target: ControlTarget, site: ControlContext): unknown {
  const answer = answers.get(request.method);
  if (answer === undefined) return { error: `KeyError(${pythonRepr(request.method)})` };
  try {
    return answer(request.arguments, target, site);
  } catch (error) {
    site.log.error({ err: coerceError(error), method: request.method }, 'remote control failed');
    return { error: `RuntimeError(${pythonRepr(errorLine(error))})` };
  }
}

function revoke(args: { [key: string]: PythonJson }, target: ControlTarget, terminate: boolean) {
  const ids = idsOf(args['task_id']);
  // Asked before they are revoked, because a waiting run may be gone afterwards.
  const known = new Set(
    [...target.active(), ...target.reserved(), ...target.scheduled()].map((task) => task.id),
  );
  if (ids.length > 0) target.revoke(ids, terminate);
  if (!terminate) return ok(`tasks ${ids.join(', ')} flagged as revoked`);
  const ended = ids.filter((id) => known.has(id));
  return ok(ended.length === 0 ? 'terminate: tasks unknown' : `terminate: ${ended.join(', ')}`);
}

function shutdown(target: ControlTarget) {
  if (target.shutdown === null) {
    return { error: 'This worker is not ended by remote control: its setting worker.remoteShutdown is off.' };
  }
  target.shutdown();
  return undefined;
}

function setTaskEvents(on: boolean, { events }: ControlContext) {
  const already = events.setTaskEvents(on) ? '' : 'already ';
  return ok(`task events ${already}${on ? 'enabled' : 'disabled'}`);
}

/** Celery answers nothing but that it has heard. */
function heartbeat({ events }: ControlContext): null {
  events.heartbeat();
  return null;
}

/** Another worker starts and asks whom it should not run. The values stand for the time of the revoke. */
function hello(target: ControlTarget, site: ControlContext) {
  const now = site.now() / 1_000;
  const revoked = Object.fromEntries(target.revoked().map((id) => [id, now]));
  return { revoked, clock: site.clock.forward() };
}

/** Ids come as one text or as a list. What can be no id of ours is left out. */
function idsOf(value: PythonJson | undefined): string[] {
  const list = typeof value === 'string' ? [value] : (listOf(value) ?? []);
  return [...new Set(list.filter((id) => isTaskId(id)))];
}

function tableOf(value: PythonJson | undefined): { [key: string]: PythonJson } | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
}

function listOf(value: PythonJson | undefined): PythonJson[] | null {
  return Array.isArray(value) ? value : null;
}

function textOf(value: PythonJson | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
