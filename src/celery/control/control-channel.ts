import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Clock } from '../../base/clock.js';
import { coerceError, errorLine } from '../../base/errors.js';
import { backoffDelay } from '../../base/backoff.js';
import { answerControl, isAddressedTo, readControlRequest } from './control.js';
import type { ControlContext } from './control-replies.js';
import type { ControlTarget } from './control-target.js';
import { declareMailbox, replyExchange, type MailboxKind } from '../amqp/topology.js';

export interface ControlChannelOptions {
  target: ControlTarget;
  context: ControlContext;
  /** How to declare the mailbox; changed permanently if the broker refuses Celery's way. */
  mailbox: { kind: MailboxKind };
  clock: Clock;
  /** Aborted when the connection is gone. */
  signal: AbortSignal;
}

/**
 * Answers remote control requests on a separate channel, reopening it as long as the connection lasts, so that errors here
 * do not affect tasks. Resolves after the first attempt; never rejects.
 */
export async function openControlChannel(
  connection: ChannelModel,
  options: ControlChannelOptions,
): Promise<void> {
  const first = Promise.withResolvers<void>();
  void keepListening(connection, options, first.resolve);
  await first.promise;
}

async function keepListening(
  connection: ChannelModel,
  options: ControlChannelOptions,
  onAttempt: () => void,
) {
  const { mailbox, clock, signal, context } = options;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    let cause: Error;
    try {
      const { channel, ended } = await listen(connection, options);
      onAttempt();
      cause = await ended;
      await channel.close().catch(() => {
        // already closed
      });
    } catch (error) {
      cause = coerceError(error);
      if (mailbox.kind === 'celery' && isPreconditionFailure(cause)) {
        context.log.info({ reason: cause.message }, 'using an exclusive queue as the remote control mailbox');
        mailbox.kind = 'exclusive';
        continue;
      }
    }
    onAttempt();
    if (signal.aborted) return;
    context.log.warn({ reason: cause.message }, 'remote control unavailable, retrying');
    await clock.sleep(backoffDelay(attempt, { initialMs: 500, maxMs: 30_000 }), signal);
  }
}

/** Whether a queue of this name exists with other arguments. */
function isPreconditionFailure(error: Error): boolean {
  return (error as { code?: unknown }).code === 406;
}

async function listen(connection: ChannelModel, options: ControlChannelOptions) {
  const { context, mailbox } = options;
  const channel = await connection.createChannel();
  const { promise: ended, resolve: end } = Promise.withResolvers<Error>();
  channel.on('error', end);
  channel.on('close', () => end(new Error('The channel was closed')));
  const { queue, consumers } = await declareMailbox(channel, context.nodeName, mailbox.kind);
  if (consumers > 0) {
    context.log.warn(
      { node: context.nodeName },
      'another worker seems to use this node name; give each worker its own, or cancel requests may reach the wrong one',
    );
  }
  const onMessage = (message: ConsumeMessage | null) => {
    if (message === null) end(new Error('The mailbox was deleted'));
    else reply(channel, message, options);
  };
  await channel.consume(queue, onMessage, { noAck: true });
  return { channel, ended };
}

/** Never throws: an error in amqplib's callback would close the channel. */
function reply(channel: Channel, message: ConsumeMessage, { target, context }: ControlChannelOptions): void {
  try {
    context.clock.adjust((message.properties.headers ?? {})['clock']);
    if (message.properties.contentType !== 'application/json') throw new Error('The request is not JSON.');
    const request = readControlRequest(message.content.toString('utf8'));
    if (!isAddressedTo(context.nodeName, request)) return;
    context.log.debug({ method: request.method }, 'remote control');
    const value = answerControl(request, target, context);
    if (value === undefined || request.replyKey === null) return;
    channel.publish(
      replyExchange,
      request.replyKey,
      Buffer.from(JSON.stringify({ [context.nodeName]: value })),
      {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        deliveryMode: 1,
        priority: 0,
        headers: { ticket: request.ticket, clock: context.clock.forward() },
      },
    );
  } catch (error) {
    context.log.warn({ reason: errorLine(error) }, 'remote control request ignored');
  }
}
