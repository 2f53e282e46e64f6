import { readBrokerUrl } from '../../celery/amqp/broker-url.js';
import type { SiteAnswers } from '../init-answers.js';

type Broker = SiteAnswers['broker'];

/** `amqp://user:password@host:port/vhost`, percent-encoded, as this worker reaches RabbitMQ. */
export function brokerUrl(broker: Broker): string {
  return address(broker.tls ? 'amqps' : 'amqp', broker, bracketed(broker.host), broker.port);
}

/** The parts of {@link brokerUrl}; null for a text that is not such an address. */
export function readBroker(url: string): Broker | null {
  try {
    const { hostname, port, virtualHost, user, tls, connect } = readBrokerUrl(url);
    return { host: hostname, port, vhost: virtualHost, user, password: connect.password ?? '', tls };
  } catch {
    return null;
  }
}

/** The same inside the containers' network. */
export function brokerUrlInside(broker: Broker): string {
  return address('amqp', broker, 'rabbitmq', 5672);
}

/** Celery's result back end through the same RabbitMQ. */
export function backendOf(url: string): string {
  return url.replace(/^amqps?:/, 'rpc:');
}

function address(scheme: string, { user, password, vhost }: Broker, host: string, port: number): string {
  // the vhost "/" is written as an empty path, which every client takes for it
  const path = vhost === '/' ? '' : encodeURIComponent(vhost);
  return `${scheme}://${encode(user)}:${encode(password)}@${host}:${port}/${path}`;
}

/** What `encodeURIComponent` leaves alone is harmless in an address, but not in every file that it is put into. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** What of Mongo's address decides over the container that answers it. */
export interface MongoPlace {
  host: string;
  port: number;
  /** Null: it lets anybody in. */
  login: { user: string; password: string } | null;
  /** Address for Girder, inside the containers' network. */
  inside: string;
}

/** Null for an address that cannot be read. */
export function mongoPlace(uri: string | null): MongoPlace | null {
  if (uri === null) return { host: 'localhost', port: 27_017, login: null, inside: insideMongo(null) };
  if (!uri.startsWith('mongodb://') || !URL.canParse(uri)) return null;
  const url = new URL(uri);
  let login: MongoPlace['login'] = null;
  try {
    const user = decodeURIComponent(url.username);
    if (user !== '') login = { user, password: decodeURIComponent(url.password) };
  } catch {
    return null;
  }
  return { host: url.hostname, port: Number(url.port || 27_017), login, inside: insideMongo(login) };
}

/** An hour of silence is allowed: Girder's own housekeeping can keep the database busy. */
function insideMongo(login: MongoPlace['login']): string {
  const who = login === null ? '' : `${encode(login.user)}:${encode(login.password)}@`;
  return `mongodb://${who}mongodb:27017/girder?socketTimeoutMS=3600000${login === null ? '' : '&authSource=admin'}`;
}
