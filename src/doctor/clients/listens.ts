import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isLoopback } from './broker.js';

/** Whether a port accepts connections within `ms`. */
export async function listens(
  host: string,
  port: number,
  { ms = 800, signal }: { ms?: number; signal?: AbortSignal } = {},
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port });
  socket.setTimeout(ms, () => resolve(false));
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  signal?.addEventListener('abort', () => resolve(false), { once: true });
  const answer = await promise;
  socket.destroy();
  return answer;
}

/** An address at which other hosts can reach this port; null if it is closed to them. */
export async function openAddress(
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<string | null> {
  if (!isLoopback(hostname)) return hostname;
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
  const open = await Promise.all(own.map((address) => listens(address, port, { ms: 500, signal })));
  return own.find((_, index) => open[index] === true) ?? null;
}
