import { once } from 'node:events';
import { createRequire } from 'node:module';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { connect as connectTls, getCACertificates } from 'node:tls';
import type * as Amqplib from 'amqplib';
import type { ChannelModel, Options, SocketOptions } from 'amqplib';
import { checkTlsMaterial, readPemFile } from '../../base/pem-file.js';
import type { BrokerAddress } from './broker-url.js';
import { readFieldTable } from './read-field-table.js';
import { writeFieldTable } from './write-field-table.js';

/** Of amqplib's inside, what is reached for here. Its version is pinned, and tests/unit/celery/amqp/amqplib.test.ts reads and writes with it. */
interface Codec {
  decodeFields: (fields: Buffer) => Record<string, unknown>;
}
interface Definitions {
  decode: (classId: number, content: Buffer) => { headers?: Record<string, unknown> };
  encodeProperties: EncodeProperties & { [ours]?: true };
}
/** A message's header frame. */
type EncodeProperties = (
  classId: number,
  channel: number,
  bodySize: number,
  properties: Options.Publish & { headers?: object },
) => Buffer;

interface Format {
  inspect: ((frame: Frame, showFields: boolean) => string) & { [ours]?: true };
  closeMessage: (frame: Frame) => string;
}
interface Frame {
  fields?: { replyText?: unknown };
}

const ours = Symbol('writes headers with src/celery/amqp/write-field-table.ts');

/**
 * amqplib, with a reader and a writer of message headers that take whatever is in them.
 *
 * amqplib's own reader throws at a type that it does not know, such as `L`, with which py-amqp writes every whole number
 * beyond 32 bits. The connection ends over it before anybody sees the message, and RabbitMQ delivers that again to the next
 * connection, for ever: one such task would stop a worker. Its writer does not know `L` either, and takes half of what fits
 * into a frame. amqplib has no setting for them, and its modules take them over from one another when they are loaded, so
 * ours must be in place before. Hence nothing else imports amqplib.
 */
export function loadAmqplib(): typeof Amqplib {
  const { require, entry, inside } = whereAmqplibIs();
  const codec = require(join(inside, 'codec.js')) as Codec;
  codec.decodeFields = readFieldTable;
  const definitions = require(join(inside, 'defs.js')) as Definitions;
  if (definitions.decode(basicClass, properties).headers?.['n'] !== 1) {
    throw new Error('amqplib does not read message headers with src/celery/amqp/read-field-table.ts');
  }
  tellWhyClosed(require(join(inside, 'format.js')) as Format);
  const { encodeProperties } = definitions;
  if (encodeProperties[ours] !== true) {
    const encode: EncodeProperties = (classId, channel, bodySize, { headers, ...others }) => {
      const frame = encodeProperties(classId, channel, bodySize, others);
      return headers === undefined ? frame : withHeaders(frame, writeFieldTable(headers));
    };
    definitions.encodeProperties = Object.assign(encode, { [ours]: true } as const);
  }
  return require(entry) as typeof Amqplib;
}

/**
 * RabbitMQ gives its reason when it closes a connection that is being opened: a virtual host that is not there, or a limit
 * on connections. amqplib only names the frame in its error.
 */
function tellWhyClosed(format: Format): void {
  const { inspect, closeMessage } = format;
  if (inspect[ours] === true) return;
  const telling: Format['inspect'] = (frame, showFields) =>
    frame.fields?.replyText === undefined
      ? inspect(frame, showFields)
      : `${inspect(frame, false)}: ${closeMessage(frame)}`;
  format.inspect = Object.assign(telling, { [ours]: true } as const);
}

function whereAmqplibIs() {
  const require = createRequire(import.meta.url);
  const entry = require.resolve('amqplib');
  return { require, entry, inside: join(dirname(entry), 'lib') };
}

/** amqplib's `connect`, without its own recovery. */
export async function connect(
  address: string | Options.Connect,
  socket?: SocketOptions,
): Promise<ChannelModel> {
  return loadAmqplib().connect(address, socket);
}

/** Files of a broker's TLS connection, in PEM. */
export interface BrokerFiles {
  /** The authority that vouches for the broker, where it is not a public one. */
  caFile?: string | null;
  /** The client's own certificate, and its key. */
  certFile?: string | null;
  keyFile?: string | null;
}

/**
 * Connects to a broker. The files are read each time, so that a renewed certificate needs no restart.
 * @throws DsaSlurmError `files` if one of them cannot be used; whatever amqplib throws
 */
export async function connectBroker(
  address: BrokerAddress,
  { caFile = null, certFile = null, keyFile = null }: BrokerFiles,
  timeoutMs: number,
  open: (address: Options.Connect, socket: SocketOptions) => Promise<ChannelModel> = connect,
): Promise<ChannelModel> {
  const socket = { timeout: timeoutMs, noDelay: true };
  if (!address.tls) return open(address.connect, socket);
  const ca = await readAuthorities(caFile);
  const own =
    certFile === null || keyFile === null
      ? null
      : { cert: await readPemFile(certFile), key: await readPemFile(keyFile) };
  if (own !== null) checkTlsMaterial(certFile ?? '', own);
  return open(address.connect, {
    ...socket,
    ...(ca === undefined ? {} : { ca: ca.map((pem) => Buffer.from(pem)) }),
    ...(own === null ? {} : { cert: Buffer.from(own.cert), key: Buffer.from(own.key) }),
  });
}

/** The public authorities and the one of the file; undefined without a file, where Node takes the public ones itself. */
async function readAuthorities(caFile: string | null): Promise<string[] | undefined> {
  if (caFile === null) return undefined;
  const ca = await readPemFile(caFile);
  checkTlsMaterial(caFile, { ca });
  return [...getCACertificates('default'), ca];
}

/**
 * Opens TLS to a broker and closes it again, without a word of AMQP. Resolves if its certificate is trusted.
 * @throws DsaSlurmError `files` if the file cannot be used; whatever the socket or TLS throw
 */
export async function shakeHands(
  { hostname, port }: Pick<BrokerAddress, 'hostname' | 'port'>,
  caFile: string | null,
  timeoutMs: number,
): Promise<void> {
  const ca = await readAuthorities(caFile);
  const socket = connectTls({
    host: hostname,
    port,
    // an address is no server name (RFC 6066)
    ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    await once(socket, 'secureConnect', { signal });
  } catch (error) {
    throw signal.aborted ? new Error('connect ETIMEDOUT', { cause: error }) : error;
  } finally {
    // a broker that wants a certificate of ours says so after this
    socket.on('error', () => undefined).destroy();
  }
}

/**
 * Whether the properties of a message, its headers among them, fit into the one frame that AMQP has for them. RabbitMQ ends
 * a connection that sends a larger one.
 * @throws TypeError, RangeError for properties that cannot be written at all
 */
export function fitsIntoFrame(connection: ChannelModel, message: Options.Publish): boolean {
  const { require, inside } = whereAmqplibIs();
  const { encodeProperties } = require(join(inside, 'defs.js')) as Definitions;
  const { frameMax } = connection.connection as { frameMax?: number };
  return encodeProperties(basicClass, 0, 0, message).length <= (frameMax ?? Infinity);
}

const basicClass = 60;
/** Properties of a message: the flag for headers, their length, and a field `n` that is 1 with the tag `L`. */
const properties = Buffer.from('20000000000b016e4c0000000000000001', 'hex');

/** Where the flags of a header frame are: behind type, channel, size, class, weight and the size of the body. */
const flagsAt = 19;
const hasContentType = 0x8000;
const hasContentEncoding = 0x4000;
const hasHeaders = 0x2000;

/** Headers come third among the properties. */
function withHeaders(frame: Buffer, headers: Buffer): Buffer {
  const flags = frame.readUInt16BE(flagsAt);
  let at = flagsAt + 2;
  for (const flag of [hasContentType, hasContentEncoding]) {
    if ((flags & flag) !== 0) at += 1 + frame.readUInt8(at);
  }
  const whole = Buffer.concat([frame.subarray(0, at), headers, frame.subarray(at)]);
  whole.writeUInt32BE(frame.readUInt32BE(3) + headers.length, 3);
  whole.writeUInt16BE(flags | hasHeaders, flagsAt);
  return whole;
}
