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
  /** How to declare the mailbox; it is changed for good when the broker refuses Celery's way. */
  mailbox: { kind: MailboxKind };
  clock: Clock;
  /** Aborted when the connection is gone. */
  signal: AbortSignal;
}

/**
 * Answers remote control on a channel of its own, and opens that anew for as long as the connection lasts, so that
 * nothing that happens here touches the flow of tasks. Resolves after the first try, and rejects never.
 */
export async function openControlChannel(
  connection: ChannelModel,
  options: ControlChannelOptions,
): Promise<void> {
  const first = Promise.withResolvers<void>();
  void keepControl(connection, options, first.resolve);
  await first.promise;
}

async function keepControl(connection: ChannelModel, options: ControlChannelOptions, onTried: () => void) {
  const { mailbox, clock, signal, context: site } = options;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    let cause: Error;
    try {
      const { channel, ended } = await listen(connection, options);
      onTried();
      cause = await ended;
      await channel.close().catch(() => {
        // it was closed already
      });
    } catch (error) {
      cause = coerceError(error);
      if (mailbox.kind === 'celery' && isPreconditionFailure(cause)) {
        site.log.info({ reason: cause.message }, 'mailbox for remote control becomes an exclusive queue');
        mailbox.kind = 'exclusive';
        continue;
      }
    }
    onTried();
    if (signal.aborted) return;
    site.log.warn({ reason: cause.message }, 'remote control is not at hand, trying again');
    await clock.sleep(backoffDelay(attempt, { initialMs: 500, maxMs: 30_000 }), signal);
  }
}

/** A queue of this name exists with other arguments. */
function isPreconditionFailure(error: Error): boolean {
  return (error as { code?: unknown }).code === 406;
}

async function listen(connection: ChannelModel, options: ControlChannelOptions) {
  const { context: site, mailbox } = options;
  const channel = await connection.createChannel();
  const { promise: ended, resolve: end } = Promise.withResolvers<Error>();
  channel.on('error', end);
  channel.on('close', () => end(new Error('The channel was closed')));
  const { queue, consumers } = await declareMailbox(channel, site.nodeName, mailbox.kind);
  if (consumers > 0) {
    site.log.warn(
      { node: site.nodeName },
      'another worker seems to use this node name; give each worker its own, or cancels may reach the wrong one',
    );
  }
  const onMessage = (message: ConsumeMessage | null) => {
    if (message === null) end(new Error('The mailbox was deleted'));
    else answer(channel, message, options);
  };
  await channel.consume(queue, onMessage, { noAck: true });
  return { channel, ended };
}

/** Never throws: what is thrown inside amqplib's callback would close the channel. */
function answer(
  channel: Channel,
  message: ConsumeMessage,
  { target, context: site }: ControlChannelOptions,
): void {
  try {
    site.clock.adjust((message.properties.headers ?? {})['clock']);
    if (message.properties.contentType !== 'application/json') throw new Error('It is not JSON.');
    const request = readControlRequest(message.content.toString('utf8'));
    if (!isAddressedTo(site.nodeName, request)) return;
    site.log.debug({ method: request.method }, 'remote control');
    const value = answerControl(request, target, site);
    if (value === undefined || request.replyKey === null) return;
    channel.publish(
      replyExchange,
      request.replyKey,
      Buffer.from(JSON.stringify({ [site.nodeName]: value })),
      {
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        deliveryMode: 1,
        priority: 0,
        headers: { ticket: request.ticket, clock: site.clock.forward() },
      },
    );
  } catch (error) {
    site.log.warn({ reason: errorLine(error) }, 'remote control message ignored');
  }
}
