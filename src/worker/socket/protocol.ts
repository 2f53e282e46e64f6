import * as z from 'zod';

import { maxNodes, maxReasonLength } from '../../slurm/commands/change-nodes.js';
import { workerAction } from '../actions/action.js';
import type { LiveViews } from '../views/live-views.js';

/**
 * The protocol of the socket: one JSON message per line. The client says hello, and the worker welcomes or refuses it. Then the
 * client sends requests, each with its own id, and the worker sends responses and changes of views.
 *
 * The shapes of views belong to the program's version, so both ends must have the same version. This number changes only for
 * incompatible changes within a version.
 */
export const protocol = 2;

export const limits = {
  /** Maximum bytes of a hello, and of each line after it: an action can name thousands of runs. */
  helloBytes: 4_096,
  requestBytes: 2 * 1024 * 1024,
  /** Maximum bytes of a line of the worker: the first snapshot of a large site. */
  messageBytes: 256 * 1024 * 1024,
  /** Pending requests of one client; further ones are not read. */
  openRequests: 16,
  /** Subscriptions of one client to views and logs. */
  followed: 64,
  clients: 32,
  /** Milliseconds for a hello, and for its response. */
  helloMs: 5_000,
  /** Milliseconds between heartbeats … */
  beatMs: 2_000,
  /** … and without a message after which the worker counts as hung. */
  silenceMs: 15_000,
} as const;

const watchable = [
  'worker',
  'cluster',
  'scheduler',
  'accounting',
  'allJobs',
  'images',
  'history',
  'batches',
] as const satisfies (keyof LiveViews)[];
type Missing = Exclude<keyof LiveViews, (typeof watchable)[number]>;
const nothingIsMissing: [Missing] extends [never] ? true : Missing = true;
void nothingIsMissing;

export const hello = z.strictObject({
  hello: z.literal('dsa-slurm'),
  /** Any number and version is accepted here, so that a mismatch can be answered with a message. */
  protocol: z.number(),
  version: z.string().max(100),
  /** From the address file, which only the user can read. */
  cookie: z.string().max(200),
  /** The worker rejects all actions on this connection. */
  readOnly: z.boolean(),
});
export type Hello = z.infer<typeof hello>;

const id = z.int().nonnegative();
const name = z.string().max(1_000);

/** Requests of a client. */
export const request = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('act'), id, action: workerAction }),
  z.strictObject({
    ask: z.literal('changeNodes'),
    id,
    change: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('drain'), reason: z.string().max(maxReasonLength) }),
      z.strictObject({ kind: z.literal('resume') }),
    ]),
    nodes: z.array(name).max(maxNodes),
  }),
  z.strictObject({ ask: z.literal('intake'), id, wish: z.enum(['pause', 'resume', 'drain']) }),
  z.strictObject({ ask: z.literal('runDetail'), id, run: name }),
  z.strictObject({ ask: z.literal('jobDetail'), id, job: name }),
  z.strictObject({ ask: z.literal('jobScript'), id, job: name }),
  z.strictObject({ ask: z.literal('imageDetail'), id, file: name }),
  /** Subscribes to a view under this id, until `stop` with the same id. */
  z.strictObject({ ask: z.literal('watch'), id, what: z.enum(watchable) }),
  z.strictObject({ ask: z.literal('followLog'), id, run: name }),
  z.strictObject({ ask: z.literal('stop'), id }),
]);
export type Request = z.infer<typeof request>;

/** 0.1.0 called the reason `said`; `upgrade --check` may meet such a worker. */
function withReason(line: unknown): unknown {
  const { said } = (line ?? {}) as { said?: unknown };
  return typeof said === 'string' ? { ...(line as object), reason: said } : line;
}

/** Messages of the worker. Patches are of the type `Patch`. */
export const message = z.preprocess(
  withReason,
  z.discriminatedUnion('say', [
    z.object({ say: z.literal('welcome'), pid: z.number(), host: z.string(), readOnly: z.boolean() }),
    /** `id`: the refused request; null for a line without an id. */
    z.object({ say: z.literal('refused'), id: id.nullable(), reason: z.string() }),
    z.object({ say: z.literal('answer'), id, value: z.unknown() }),
    z.object({ say: z.literal('snapshot'), patch: z.unknown() }),
    z.object({ say: z.literal('view'), id, patch: z.unknown() }),
    z.object({ say: z.literal('beat') }),
    z.object({ say: z.literal('bye'), reason: z.string() }),
  ]),
);
export type Message = z.infer<typeof message>;
