import { ADDRCONFIG, type LookupOneOptions } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { DsaSlurmError, systemCode } from '../../base/errors.js';

/** The address to which this machine's host name resolves. */
export interface HostAddress {
  address: string;
  /** Slurm needs `EnableIPv6` to resolve it. */
  enableIpv6: boolean;
}

/**
 * Where Slurm's daemons listen: with `NoInAddrAny` they bind what gethostname(3) resolves to and nothing else, which is
 * 127.0.0.1 on some machines, 127.0.1.1 on Debian and an address of its own in a container. The look-ups here are Slurm's
 * own (`AI_ADDRCONFIG`, the first answer): without `EnableIPv6` it asks for IPv4 alone, which getaddrinfo(3) answers only
 * where an interface other than the loopback has an IPv4 address. A laptop without a network has none; in that case, and if
 * the name resolves to an IPv6 address, Slurm needs `EnableIPv6`, which makes it ask for both.
 * @throws DsaSlurmError `sandbox`, with the line to add to /etc/hosts, if the host name has no address of this machine
 */
export async function hostAddress(name: string = hostname()): Promise<HostAddress> {
  await assertLocalhost();
  const ipv4 = await resolve(name, { family: 4, hints: ADDRCONFIG });
  const address = ipv4 ?? (await resolve(name, { family: 0, hints: ADDRCONFIG, order: 'verbatim' }));
  if (address === undefined) {
    throw new DsaSlurmError('sandbox', `The host name "${name}" does not resolve to an address.`, {
      next: hostsLine(name),
    });
  }
  const code = await bindError(address);
  if (code !== undefined) {
    throw new DsaSlurmError(
      'sandbox',
      `The host name "${name}" resolves to ${address}, where nothing can listen on this machine (${code}).`,
      { next: hostsLine(name) },
    );
  }
  return { address, enableIpv6: ipv4 === undefined };
}

/** RabbitMQ's node is named `…@localhost`. */
async function assertLocalhost(): Promise<void> {
  if ((await resolve('localhost', { family: 4 })) === '127.0.0.1') return;
  throw new DsaSlurmError('sandbox', '"localhost" does not resolve to 127.0.0.1.', {
    next: 'Add this line to /etc/hosts, as root: 127.0.0.1 localhost',
  });
}

function hostsLine(name: string): string {
  return `Add this line to /etc/hosts, as root, in place of any other with that name: 127.0.1.1 ${name}`;
}

async function resolve(name: string, options: LookupOneOptions): Promise<string | undefined> {
  try {
    return (await lookup(name, options)).address;
  } catch {
    return undefined;
  }
}

function bindError(address: string): Promise<string | undefined> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', (error) => done(systemCode(error) ?? 'unknown error'));
    probe.listen({ host: address, port: 0 }, () => probe.close(() => done(undefined)));
  });
}
