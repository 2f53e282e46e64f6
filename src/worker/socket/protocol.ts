import * as z from 'zod';

import { workerAction } from '../actions/action.js';
import type { LiveViews } from '../views/live-views.js';

/**
 * What is said over the socket: one JSON message a line. The client says hello, the worker welcomes or refuses it; after
 * that the client asks, each question with a number of its own, and the worker answers and sends what has changed.
 *
 * The views that it carries have the shapes of the program's own version, so both ends must be of the same: a number is
 * raised here only for what changes within a version.
 */
export const protocol = 1;

export const limits = {
  /** Bytes of a hello, and of each line after it: an action may name thousands of runs. */
  helloBytes: 4_096,
  requestBytes: 2 * 1024 * 1024,
  /** Bytes of a line of the worker: the first snapshot of a large site. */
  messageBytes: 256 * 1024 * 1024,
  /** Questions of one client that are not answered yet; more of them are not read. */
  openRequests: 16,
  /** Views and logs that one client follows. */
  followed: 64,
  clients: 32,
  /** Milliseconds for a hello, and for the answer to it. */
  helloMs: 5_000,
  /** Something is said at least so often, in milliseconds … */
  beatMs: 2_000,
  /** … and after so many of silence the worker is taken to hang. */
  silenceMs: 15_000,
} as const;

const watchable = [
  'worker',
  'cluster',
  'allJobs',
  'images',
  'history',
] as const satisfies (keyof LiveViews)[];
type Missing = Exclude<keyof LiveViews, (typeof watchable)[number]>;
const nothingIsMissing: [Missing] extends [never] ? true : Missing = true;
void nothingIsMissing;

export const hello = z.strictObject({
  hello: z.literal('dsa-slurm'),
  /** Any number and version may be said, so that the answer can be a sentence. */
  protocol: z.number(),
  version: z.string().max(100),
  /** What is written down beside the socket, for the user alone. */
  cookie: z.string().max(200),
  /** From then on nothing of this connection acts on anything. */
  readOnly: z.boolean(),
});
export type Hello = z.infer<typeof hello>;

const id = z.int().nonnegative();
const name = z.string().max(1_000);

/** What a client may ask. */
export const request = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('act'), id, action: workerAction }),
  z.strictObject({ ask: z.literal('intake'), id, wish: z.enum(['pause', 'resume', 'drain']) }),
  z.strictObject({ ask: z.literal('runDetail'), id, run: name }),
  z.strictObject({ ask: z.literal('jobDetail'), id, job: name }),
  z.strictObject({ ask: z.literal('imageDetail'), id, file: name }),
  /** Views follow under this number, until `stop` names it. */
  z.strictObject({ ask: z.literal('watch'), id, what: z.enum(watchable) }),
  z.strictObject({ ask: z.literal('followLog'), id, run: name }),
  z.strictObject({ ask: z.literal('stop'), id }),
]);
export type Request = z.infer<typeof request>;

/** What the worker says. The values inside are its own views; see `Patch` for how they change. */
export const message = z.discriminatedUnion('say', [
  z.object({ say: z.literal('welcome'), pid: z.number(), host: z.string(), readOnly: z.boolean() }),
  /** `id`: the question that was refused; null for a line that was none. */
  z.object({ say: z.literal('refused'), id: id.nullable(), said: z.string() }),
  z.object({ say: z.literal('answer'), id, value: z.unknown() }),
  z.object({ say: z.literal('snapshot'), patch: z.unknown() }),
  z.object({ say: z.literal('view'), id, patch: z.unknown() }),
  z.object({ say: z.literal('beat') }),
  z.object({ say: z.literal('bye'), said: z.string() }),
]);
export type Message = z.infer<typeof message>;
