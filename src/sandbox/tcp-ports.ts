import { randomInt } from 'node:crypto';
import { createConnection, createServer } from 'node:net';
import { DsaSlurmError } from '../base/errors.js';

/**
 * Distinct TCP ports that are free now. They are below the kernel's range for outgoing connections, so that none of those
 * takes one before the service binds it.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; attempt < 50 * count && ports.size < count; attempt += 1) {
    const port = randomInt(10_240, 32_768);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  if (ports.size < count) {
    throw new DsaSlurmError('sandbox', `No ${count} free TCP ports were found on this machine.`);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    // Must be free on every interface, because the service may bind any address.
    probe.listen({ port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** Whether a TCP port of the loopback interface accepts connections. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    const answer = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
