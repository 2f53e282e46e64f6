import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';
import type { Clock } from '../../base/clock.js';
import { coerceError } from '../../base/errors.js';
import { readBrokerUrl } from '../../celery/amqp/broker-url.js';
import { connectBroker, shakeHands, type BrokerFiles } from '../../celery/amqp/amqplib.js';
import { isUntrustedCertificate, toBrokerError } from '../../celery/amqp/broker-errors.js';

const connectMs = 4_000;
const closingMs = 500;

/**
 * Opens a connection, uses it and closes it in any case.
 * @throws DsaSlurmError `broker` with the worker's own message, if it cannot be opened or breaks
 */
export async function withBroker<T>(
  { url, signal, clock, ...files }: { url: string; signal: AbortSignal; clock: Clock } & BrokerFiles,
  use: (connection: ChannelModel) => Promise<T>,
): Promise<T> {
  const address = readBrokerUrl(url);
  let connection: ChannelModel | null = null;
  try {
    // without heartbeats: their timers would outlive a connection whose close is not answered, and keep this process alive
    const connect = { ...address.connect, heartbeat: 0 };
    connection = await connectBroker({ ...address, connect }, files, connectMs);
    const opened = connection;
    const broken = new Promise<never>((_, reject) => {
      opened.on('error', reject);
      opened.on('close', () => reject(new Error('Unexpected close')));
      signal.addEventListener('abort', () => reject(new Error('ETIMEDOUT')), { once: true });
    });
    broken.catch(() => undefined);
    signal.throwIfAborted();
    return await Promise.race([use(opened), broken]);
  } catch (thrown) {
    throw toBrokerError(thrown, address).error;
  } finally {
    if (connection !== null) await shut(connection, clock);
  }
}

/**
 * Checks whether a broker's certificate is trusted, without logging in.
 * @param caFile setting `broker.caFile`
 * @returns null if it is; otherwise the reason
 * @throws DsaSlurmError `broker` if the port does not speak TLS, `files` if the file cannot be used
 */
export async function untrustedBroker(url: string, caFile: string | null): Promise<string | null> {
  const address = readBrokerUrl(url);
  try {
    await shakeHands(address, caFile, connectMs);
    return null;
  } catch (thrown) {
    const { error } = toBrokerError(thrown, address);
    if (isUntrustedCertificate(coerceError(thrown))) return error.message;
    throw error;
  }
}

async function shut(connection: ChannelModel, clock: Clock): Promise<void> {
  const done = new AbortController();
  const closed = connection.close().catch(() => undefined);
  await Promise.race([closed, clock.sleep(closingMs, done.signal)]);
  done.abort();
  // an unresponsive broker must not keep this process alive
  (connection.connection as { stream?: Socket }).stream?.destroy();
}

/** Whether a host name, or an IPv6 address with or without brackets, means this machine. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|ip6-localhost|127(\.\d+){3}|\[?::1\]?)$/i.test(hostname);
}
