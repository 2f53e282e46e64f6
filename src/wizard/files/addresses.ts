import { readBrokerUrl } from '../../celery/amqp/broker-url.js';
import type { InitAnswers } from '../init-answers.js';

type Broker = InitAnswers['broker'];

/** `amqp://user:password@host:port/vhost`, percent-encoded, for this worker. */
export function brokerUrlOf(broker: Broker): string {
  return address(broker.tls ? 'amqps' : 'amqp', broker, bracketed(broker.host), broker.port);
}

/** Parses {@link brokerUrlOf}; null for anything else. */
export function readBroker(url: string): Broker | null {
  try {
    const { hostname, port, virtualHost, user, tls, connect } = readBrokerUrl(url);
    return { host: hostname, port, vhost: virtualHost, user, password: connect.password ?? '', tls };
  } catch {
    return null;
  }
}

/** The address inside the containers' network. */
export function brokerUrlInside(broker: Broker): string {
  return address('amqp', broker, 'rabbitmq', 5672);
}

/** Celery's result backend on the same RabbitMQ. */
export function backendOf(url: string): string {
  return url.replace(/^amqps?:/, 'rpc:');
}

function address(scheme: string, { user, password, vhost }: Broker, host: string, port: number): string {
  // clients interpret an empty path as the vhost "/"
  const path = vhost === '/' ? '' : encodeURIComponent(vhost);
  return `${scheme}://${encode(user)}:${encode(password)}@${host}:${port}/${path}`;
}

/** Also encodes what `encodeURIComponent` does not, because it is special in some of the files. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** Parts of the MongoDB address, from which its container is configured. */
interface MongoAddress {
  host: string;
  port: number;
  /** Null: no login required. */
  login: { user: string; password: string } | null;
  /** Address for Girder, inside the containers' network. */
  inside: string;
}

/** Parses a MongoDB address; null if it is invalid. */
export function readMongoUri(uri: string | null): MongoAddress | null {
  if (uri === null) return { host: 'localhost', port: 27_017, login: null, inside: insideMongo(null) };
  if (!uri.startsWith('mongodb://') || !URL.canParse(uri)) return null;
  const url = new URL(uri);
  let login: MongoAddress['login'] = null;
  try {
    const user = decodeURIComponent(url.username);
    if (user !== '') login = { user, password: decodeURIComponent(url.password) };
  } catch {
    return null;
  }
  return { host: url.hostname, port: Number(url.port || 27_017), login, inside: insideMongo(login) };
}

/** The timeout is an hour, because Girder's maintenance can keep the database busy. */
function insideMongo(login: MongoAddress['login']): string {
  const credentials = login === null ? '' : `${encode(login.user)}:${encode(login.password)}@`;
  return `mongodb://${credentials}mongodb:27017/girder?socketTimeoutMS=3600000${login === null ? '' : '&authSource=admin'}`;
}
