import { runInNewContext } from 'node:vm';
import { coerceError, errorLine } from '../../base/errors.js';
import { globMatches } from '../../base/text/glob.js';
import { parsePythonJson, type PythonJson } from '../../base/text/python-json.js';
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
import { pythonStringRepr } from '../messages/python-repr.js';
import { isTaskId } from '../messages/task.js';
import { replyExchange } from '../amqp/topology.js';

/** One request from the control exchange (contract, section g). */
export interface ControlRequest {
  method: string;
  arguments: { [key: string]: PythonJson };
  destination: PythonJson[] | null;
  pattern: string | null;
  matcher: string | null;
  /** Returned to the caller unchanged. */
  ticket: string | null;
  /** Routing key for the reply; null if the caller expects none, like Girder's own `revoke`. */
  replyKey: string | null;
}

/**
 * Parses a request.
 * @throws DsaSlurmError `message` if it is not JSON; Error if it has another shape
 */
export function readControlRequest(text: string): ControlRequest {
  const body = tableOf(parsePythonJson(text));
  const method = body?.['method'];
  if (body === null || typeof method !== 'string') throw new Error('The request has no method.');
  const replyTo = tableOf(body['reply_to']);
  // with any other exchange a caller could publish into the task queue; a missing one would close the channel
  if (replyTo !== null && replyTo['exchange'] !== replyExchange) {
    throw new Error('The reply address is not in the reply exchange.');
  }
  const key = stringOf(replyTo?.['routing_key']);
  if (key !== null && Buffer.byteLength(key) > 255) throw new Error('The reply address is too long.');
  const { destination } = body;
  return {
    method,
    arguments: tableOf(body['arguments']) ?? {},
    destination: typeof destination === 'string' ? [destination] : listOf(destination),
    pattern: stringOf(body['pattern']),
    matcher: stringOf(body['matcher']),
    ticket: stringOf(body['ticket']),
    replyKey: key,
  };
}

/** Whether a request is for this node: by name, by pattern, or a broadcast. An invalid pattern matches no node. */
export function isAddressedTo(
  nodeName: string,
  { destination, pattern, matcher }: Pick<ControlRequest, 'destination' | 'pattern' | 'matcher'>,
): boolean {
  if (destination !== null && destination.length > 0) return destination.includes(nodeName);
  if (pattern === null || matcher === null || pattern === '' || matcher === '') return true;
  if (pattern.length > 1_000) return false;
  switch (matcher) {
    case 'glob':
      return globMatches(pattern, nodeName, { sets: true });
    case 'pcre':
      return regexMatches(pattern, nodeName);
    default:
      return false;
  }
}

/**
 * Whether `text` starts with a match of an untrusted regular expression. An expression can be made to backtrack almost
 * forever; V8 interrupts it only inside a script with a timeout.
 */
function regexMatches(source: string, text: string): boolean {
  try {
    return runInNewContext('new RegExp(source, "sy").test(text)', { source, text }, { timeout: 50 }) === true;
  } catch {
    return false;
  }
}

type Answer = (
  args: { [key: string]: PythonJson },
  target: ControlTarget,
  context: ControlContext,
) => unknown;

const ok = (text: string) => ({ ok: text });
const unsupported = (why: string) => () => ({ error: why });

const noPool = unsupported(
  'There is no process pool: each task runs as a job. The setting worker.inFlight limits how many tasks are in flight.',
);
const noQueues = unsupported('The queues are set by broker.queues.');
const noTimeLimit = unsupported('Not supported: the time limit of a job is set by slurm.time and by Slurm.');
const noRateLimit = unsupported(
  'Not supported: tasks start as they arrive. The setting worker.inFlight limits how many tasks are in flight.',
);

/** All methods of Celery 5 that a caller could need (contract, section g). */
const answers = new Map<string, Answer>([
  ['ping', () => ok('pong')],
  ['report', (_, __, context) => ok(report(context))],
  ['stats', (_, target, context) => stats(target, context)],
  ['conf', (_, __, context) => configuration(context)],
  ['clock', (_, __, context) => ({ clock: context.clock.value() })],
  ['hello', (_, target, context) => hello(target, context)],
  ['active', (_, target, context) => target.active().map((task) => taskInfo(task, context))],
  ['reserved', (_, target, context) => target.reserved().map((task) => taskInfo(task, context))],
  ['scheduled', (_, target, context) => target.scheduled().map((task) => scheduledTask(task, context))],
  ['revoked', (_, target) => target.revoked()],
  ['registered', (_, target) => target.registered().toSorted()],
  ['active_queues', (_, __, context) => activeQueues(context)],
  ['query_task', (args, target, context) => queriedTasks(idsOf(args['ids']), target, context)],
  ['revoke', (args, target) => revoke(args, target, args['terminate'] === true)],
  ['terminate', (args, target) => revoke(args, target, true)],
  [
    'revoke_by_stamped_headers',
    unsupported('Not supported: stamped headers are not stored. Revoke by task id.'),
  ],
  ['enable_events', (_, __, context) => setTaskEvents(true, context)],
  ['disable_events', (_, __, context) => setTaskEvents(false, context)],
  ['heartbeat', (_, __, context) => heartbeat(context)],
  ['pool_grow', noPool],
  ['pool_shrink', noPool],
  ['autoscale', noPool],
  ['time_limit', noTimeLimit],
  ['rate_limit', noRateLimit],
  ['add_consumer', noQueues],
  ['cancel_consumer', noQueues],
  ['pool_restart', unsupported('Not supported: restart the worker where it was started (dsa-slurm worker).')],
  ['shutdown', (_, target) => shutdown(target)],
]);

/**
 * Executes a request and returns the JSON-ready value of the reply; undefined: no reply, as for Celery's `shutdown`. Never
 * throws.
 */
export function answerControl(
  request: ControlRequest,
  target: ControlTarget,
  context: ControlContext,
): unknown {
  const answer = answers.get(request.method);
  if (answer === undefined) return { error: `KeyError(${pythonStringRepr(request.method)})` };
  try {
    return answer(request.arguments, target, context);
  } catch (error) {
    context.log.error({ err: coerceError(error), method: request.method }, 'remote control failed');
    return { error: `RuntimeError(${pythonStringRepr(errorLine(error))})` };
  }
}

function revoke(args: { [key: string]: PythonJson }, target: ControlTarget, terminate: boolean) {
  const ids = idsOf(args['task_id']);
  // before revoking, because a waiting run may be gone afterwards
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
    return { error: 'Shutdown by remote control is disabled (setting worker.remoteShutdown).' };
  }
  target.shutdown();
  return undefined;
}

function setTaskEvents(on: boolean, { events }: ControlContext) {
  const already = events.setTaskEvents(on) ? '' : 'already ';
  return ok(`task events ${already}${on ? 'enabled' : 'disabled'}`);
}

/** Celery replies with null. */
function heartbeat({ events }: ControlContext): null {
  events.heartbeat();
  return null;
}

/** Sent by a worker that starts, to learn which tasks are revoked. The values are times of revocation. */
function hello(target: ControlTarget, context: ControlContext) {
  const now = context.now() / 1_000;
  const revoked = Object.fromEntries(target.revoked().map((id) => [id, now]));
  return { revoked, clock: context.clock.forward() };
}

/** Ids come as one string or as a list. Invalid ids are ignored. */
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

function stringOf(value: PythonJson | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
