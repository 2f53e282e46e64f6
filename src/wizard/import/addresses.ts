import type { Draft } from '../init-answers.js';

type BrokerDraft = NonNullable<Draft['broker']>;

/** The parts of Celery's address of a RabbitMQ; null if it is none. Of several (`a;b`) the first. */
export function readBrokerUrl(text: string): BrokerDraft | null {
  const first = text.split(';')[0] ?? '';
  if (!/^(amqps?|pyamqp|rpc):\/\//.test(first)) return null;
  // an unknown scheme has no host for the URL parser
  const tls = first.startsWith('amqps:');
  const plain = first.replace(/^\w+:/, 'amqp:');
  if (!URL.canParse(plain)) return null;
  const url = new URL(plain);
  if (url.hostname === '') return null;
  try {
    const path = url.pathname.replace(/^\//, '');
    return {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(url.port || (tls ? 5671 : 5672)),
      vhost: path === '' ? '/' : decodeURIComponent(path),
      user: decodeURIComponent(url.username) || 'guest',
      password: decodeURIComponent(url.password) || 'guest',
      tls,
    };
  } catch {
    return null; // percent signs that encode nothing
  }
}
