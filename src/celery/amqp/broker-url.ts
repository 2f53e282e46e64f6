import type { Options } from 'amqplib';
import { DsaSlurmError } from '../../base/errors.js';
import { maskUrl } from '../../base/text/redact.js';

/** Address, user and virtual host of the broker. */
export interface BrokerAddress {
  /** For amqplib. Holds the password: never log it. */
  connect: Options.Connect;
  /** The URL without its password. */
  masked: string;
  hostname: string;
  port: number;
  user: string;
  virtualHost: string;
  tls: boolean;
}

/** Seconds. A dead connection is noticed after about two of these. */
export const heartbeat = 60;

/** `pyamqp` is Celery's own name for the same protocol. */
const schemes = new Map([
  ['amqp:', { tls: false, port: 5672 }],
  ['pyamqp:', { tls: false, port: 5672 }],
  ['amqps:', { tls: true, port: 5671 }],
]);

/**
 * Parses `amqp://user:password@host:port/vhost` as Celery does: no path and `/` both mean the virtual host `/`; the default
 * user is guest.
 * @throws DsaSlurmError `broker`
 */
export function readBrokerUrl(text: string): BrokerAddress {
  const url = URL.parse(text);
  const scheme = url === null ? undefined : schemes.get(url.protocol);
  if (url === null || scheme === undefined || url.hostname === '') {
    throw invalid(
      url === null || url.hostname === ''
        ? 'The broker address is not a valid URL.'
        : `The broker address ${maskUrl(text)} does not begin with amqp:// or amqps://.`,
    );
  }
  const isGuest = url.username === '' && url.password === '';
  const user = isGuest ? 'guest' : decode(url.username, 'user name');
  const password = isGuest ? 'guest' : decode(url.password, 'password');
  const path = url.pathname.slice(1);
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? scheme.port : Number(url.port);
  return {
    connect: {
      protocol: scheme.tls ? 'amqps' : 'amqp',
      hostname,
      port,
      username: user,
      password,
      // decoded by amqplib
      vhost: path,
      heartbeat,
    },
    masked: maskUrl(text),
    hostname,
    port,
    user,
    virtualHost: path === '' ? '/' : decode(path, 'virtual host'),
    tls: scheme.tls,
  };
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`The ${what} in the broker address has a "%" that does not start an escape such as %25.`);
  }
}

function invalid(message: string): DsaSlurmError {
  return new DsaSlurmError('broker', message, {
    next: 'Write it as amqp://user:password@host:5672/vhost, with %-escapes for special characters.',
  });
}
