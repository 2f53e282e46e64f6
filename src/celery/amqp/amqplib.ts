import { once } from 'node:events';
import { createRequire } from 'node:module';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { connect as connectTls, getCACertificates } from 'node:tls';
import type * as Amqplib from 'amqplib';
import type { ChannelModel, Options, SocketOptions } from 'amqplib';
import { checkTlsMaterial, readPemFile } from '../../base/files/pem-file.js';
import type { BrokerAddress } from './broker-url.js';
import { readFieldTable } from './read-field-table.js';
import { writeFieldTable } from './write-field-table.js';

/** The internals of amqplib that are patched here. Its version is pinned, and tests/unit/celery/amqp/amqplib.test.ts uses them. */
interface Codec {
  decodeFields: (fields: Buffer) => Record<string, unknown>;
}
interface Definitions {
  decode: (classId: number, content: Buffer) => { headers?: Record<string, unknown> };
  encodeProperties: EncodeProperties & { [patched]?: true };
}
/** Encodes the content header frame of a message. */
type EncodeProperties = (
  classId: number,
  channel: number,
  bodySize: number,
  properties: Options.Publish & { headers?: object },
) => Buffer;

interface Format {
  inspect: ((frame: Frame, showFields: boolean) => string) & { [patched]?: true };
  closeMessage: (frame: Frame) => string;
}
interface Frame {
  fields?: { replyText?: unknown };
}

const patched = Symbol('patched by src/celery/amqp/amqplib.ts');

/**
 * Loads amqplib with a reader and a writer of message headers that support all AMQP field types.
 *
 * amqplib's own reader throws on a type that it does not know, such as `L`, which py-amqp uses for integers beyond 32 bits.
 * That ends the connection, and RabbitMQ delivers the message again on the next one, forever: one such task would stop a
 * worker. amqplib's writer does not support `L` either, and refuses headers that would fit into a frame. amqplib has no
 * setting for this, and its modules copy these functions when they are loaded, so they must be patched before. That is why
 * no other module imports amqplib.
 */
export function loadAmqplib(): typeof Amqplib {
  const { require, entry, lib } = locateAmqplib();
  const codec = require(join(lib, 'codec.js')) as Codec;
  codec.decodeFields = readFieldTable;
  const definitions = require(join(lib, 'defs.js')) as Definitions;
  if (definitions.decode(basicClass, properties).headers?.['n'] !== 1) {
    throw new Error('amqplib does not read message headers with src/celery/amqp/read-field-table.ts');
  }
  addCloseReason(require(join(lib, 'format.js')) as Format);
  const { encodeProperties } = definitions;
  if (encodeProperties[patched] !== true) {
    const encode: EncodeProperties = (classId, channel, bodySize, { headers, ...others }) => {
      const frame = encodeProperties(classId, channel, bodySize, others);
      return headers === undefined ? frame : withHeaders(frame, writeFieldTable(headers));
    };
    definitions.encodeProperties = Object.assign(encode, { [patched]: true } as const);
  }
  return require(entry) as typeof Amqplib;
}

/**
 * Adds RabbitMQ's reason to the error of a connection that it closes during opening, such as a missing virtual host or a
 * connection limit. amqplib only names the frame.
 */
function addCloseReason(format: Format): void {
  const { inspect, closeMessage } = format;
  if (inspect[patched] === true) return;
  const withReason: Format['inspect'] = (frame, showFields) =>
    frame.fields?.replyText === undefined
      ? inspect(frame, showFields)
      : `${inspect(frame, false)}: ${closeMessage(frame)}`;
  format.inspect = Object.assign(withReason, { [patched]: true } as const);
}

function locateAmqplib() {
  const require = createRequire(import.meta.url);
  const entry = require.resolve('amqplib');
  return { require, entry, lib: join(dirname(entry), 'lib') };
}

/** amqplib's `connect`, without its own recovery. */
export async function connect(
  address: string | Options.Connect,
  socket?: SocketOptions,
): Promise<ChannelModel> {
  return loadAmqplib().connect(address, socket);
}

/** PEM files for the TLS connection to a broker. */
export interface BrokerFiles {
  /** CA of the broker's certificate, if it is not a public one. */
  caFile?: string | null;
  /** Client certificate and its key. */
  certFile?: string | null;
  keyFile?: string | null;
}

/**
 * Connects to a broker. Reads the files each time, so that a renewed certificate needs no restart.
 * @throws DsaSlurmError `files` if one of them cannot be used; the error of amqplib
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
  const client =
    certFile === null || keyFile === null
      ? null
      : { cert: await readPemFile(certFile), key: await readPemFile(keyFile) };
  if (client !== null) checkTlsMaterial(certFile ?? '', client);
  return open(address.connect, {
    ...socket,
    ...(ca === undefined ? {} : { ca: ca.map((pem) => Buffer.from(pem)) }),
    ...(client === null ? {} : { cert: Buffer.from(client.cert), key: Buffer.from(client.key) }),
  });
}

/** The public CAs and the one of the file; undefined without a file: Node then uses the public ones. */
async function readAuthorities(caFile: string | null): Promise<string[] | undefined> {
  if (caFile === null) return undefined;
  const ca = await readPemFile(caFile);
  checkTlsMaterial(caFile, { ca });
  return [...getCACertificates('default'), ca];
}

/**
 * Opens and closes a TLS connection to a broker without speaking AMQP. Resolves if the broker's certificate is trusted.
 * @throws DsaSlurmError `files` if the file cannot be used; the error of the socket or TLS
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
    // an IP address is not allowed as a server name (RFC 6066)
    ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    await once(socket, 'secureConnect', { signal });
  } catch (error) {
    throw signal.aborted ? new Error('connect ETIMEDOUT', { cause: error }) : error;
  } finally {
    // a broker that requires a client certificate reports it only after this
    socket.on('error', () => undefined).destroy();
  }
}

/**
 * Whether the properties of a message, including its headers, fit into the single frame that AMQP allows for them. RabbitMQ
 * closes a connection that sends a larger one.
 * @throws TypeError, RangeError for properties that cannot be encoded
 */
export function fitsIntoFrame(connection: ChannelModel, message: Options.Publish): boolean {
  const { require, lib } = locateAmqplib();
  const { encodeProperties } = require(join(lib, 'defs.js')) as Definitions;
  const { frameMax } = connection.connection as { frameMax?: number };
  return encodeProperties(basicClass, 0, 0, message).length <= (frameMax ?? Infinity);
}

const basicClass = 60;
/** Encoded message properties: the flag for headers, their length, and a field `n` of type `L` with the value 1. */
const properties = Buffer.from('20000000000b016e4c0000000000000001', 'hex');

/** Offset of the property flags in a header frame: after type, channel, size, class, weight and body size. */
const flagsAt = 19;
const hasContentType = 0x8000;
const hasContentEncoding = 0x4000;
const hasHeaders = 0x2000;

/** Inserts encoded headers, which are the third property, into a header frame without headers. */
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
