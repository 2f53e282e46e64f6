import { errorLine } from '../../base/errors.js';
import type { ConnectionOptions } from './connections.js';
import { checkTlsMaterial, readPemFile } from '../../base/files/pem-file.js';
import { isAbsolutePath } from '../protocol/read-fields.js';

/**
 * Attributes of the HTTP session for job updates, which a publisher can set with the header `girder_client_session_kwargs`
 * (contract, section b). They are those of Python's `requests.Session`.
 */
export interface GirderSession {
  verify: boolean;
  /** Path of the only authorities to trust; null: the default ones. */
  caFile: string | null;
  /** Client certificate. Both paths may be the same. */
  cert: { certFile: string; keyFile: string } | null;
  /** URL of the proxy by the scheme of the request. */
  proxies: { http?: string; https?: string };
  /** With lower-case names; includes `auth`. */
  headers: Readonly<Record<string, string>>;
  params: Readonly<Record<string, string>>;
  /** A sentence for each attribute that has no effect. */
  notes: readonly string[];
}

/** Headers of a single request or of the connection. */
const notForSessions =
  /^(host|content-.*|transfer-encoding|connection|keep-alive|expect|upgrade|te|trailer|accept-encoding|proxy-.*)$/;

/** Reads the header. Never throws: unusable attributes are ignored and noted. */
export function readSession(kwargs: unknown): GirderSession {
  const headers: Record<string, string> = {};
  const params: Record<string, string> = {};
  const notes: string[] = [];
  const session: GirderSession = {
    verify: true,
    caFile: null,
    cert: null,
    proxies: {},
    headers,
    params,
    notes,
  };
  if (!isRecord(kwargs)) return session;
  const ignore = (name: string, why: string): void => {
    if (notes.length < maxNotes)
      notes.push(`The option "${name}" of the session for job updates is ignored: ${why}.`);
  };
  for (const [attribute, value] of Object.entries(kwargs)) {
    const name = attribute.replaceAll(/[^\w.-]/g, '?').slice(0, 60);
    if (value === null) continue;
    switch (attribute) {
      case 'verify':
        if (typeof value === 'boolean') session.verify = value;
        else if (isPath(value)) session.caFile = value;
        else ignore(name, 'it is neither true, false nor a path');
        break;
      case 'cert': {
        const [certFile, keyFile] = Array.isArray(value) ? (value as unknown[]) : [value, value];
        if (isPath(certFile) && isPath(keyFile)) session.cert = { certFile, keyFile };
        else ignore(name, 'it is neither a path nor a pair of paths');
        break;
      }
      case 'auth': {
        const credentials = basicCredentials(value);
        if (credentials === null) ignore(name, 'it is not a pair of user and password');
        else headers['authorization'] = credentials;
        break;
      }
      case 'proxies':
        Object.assign(
          session.proxies,
          readProxies(value, (why) => ignore(name, why)),
        );
        break;
      case 'headers':
        for (const [header, text] of entriesOf(value)) {
          const lower = header.toLowerCase();
          if (isHeader(lower, text) && !notForSessions.test(lower)) headers[lower] = text;
          else ignore(`${name}.${header.replaceAll(/[^\w.-]/g, '?').slice(0, 60)}`, 'it cannot be sent');
        }
        break;
      case 'params':
        for (const [param, text] of entriesOf(value)) {
          if (typeof text === 'string' || typeof text === 'number') params[param] = String(text);
        }
        break;
      default:
        ignore(name, 'it is not supported');
    }
  }
  return session;
}

const maxNotes = 10;

/**
 * The connection options of a session for a URL of this scheme, and notes on what is ignored. Reads the certificate files of
 * the session for http too, because a redirect may lead to https.
 */
export async function openSession(
  { verify, caFile, cert, proxies, notes }: GirderSession,
  scheme: 'http' | 'https',
): Promise<{ connection: ConnectionOptions; notes: readonly string[] }> {
  const connection: ConnectionOptions = {};
  const more: string[] = [];
  const proxy = proxies[scheme];
  if (proxy !== undefined) connection.proxy = proxy;
  if (!verify) connection.insecure = true;
  const attempts: [string, () => Promise<void>][] = [];
  if (caFile !== null) {
    attempts.push(['verify', async () => void Object.assign(connection, await readAuthorities(caFile))]);
  }
  if (cert !== null) {
    attempts.push(['cert', async () => void Object.assign(connection, await readOwn(cert))]);
  }
  for (const [name, attempt] of attempts) {
    try {
      await attempt();
    } catch (error) {
      more.push(`The option "${name}" of the session for job updates is ignored: ${errorLine(error)}`);
    }
  }
  return { connection, notes: [...notes, ...more] };
}

async function readAuthorities(path: string): Promise<ConnectionOptions> {
  const ca = await readPemFile(path);
  checkTlsMaterial(path, { ca });
  return { ca };
}

async function readOwn({
  certFile,
  keyFile,
}: NonNullable<GirderSession['cert']>): Promise<ConnectionOptions> {
  const [cert, key] = await Promise.all([readPemFile(certFile), readPemFile(keyFile)]);
  checkTlsMaterial(certFile, { cert, key });
  return { cert, key };
}

function basicCredentials(value: unknown): string | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [user, password] = value as unknown[];
  if (typeof user !== 'string' || typeof password !== 'string' || user.includes(':')) return null;
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** As in Python, `all` is the default for both schemes. */
function readProxies(value: unknown, ignore: (why: string) => void): GirderSession['proxies'] {
  const usable = new Map<string, string>();
  for (const [scheme, text] of entriesOf(value)) {
    const url = typeof text === 'string' ? URL.parse(text) : null;
    const isKnown = /^(https?|all)$/.test(scheme) && url !== null && /^https?:$/.test(url.protocol);
    if (isKnown) usable.set(scheme, url.href);
    else ignore('only http and https proxies for http, https or all are supported');
  }
  const http = usable.get('http') ?? usable.get('all');
  const https = usable.get('https') ?? usable.get('all');
  return { ...(http === undefined ? {} : { http }), ...(https === undefined ? {} : { https }) };
}

/** Whether name and value are valid in HTTP; a line break would inject another header. */
export function isHeader(name: string, text: unknown): text is string {
  return (
    /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name) &&
    typeof text === 'string' &&
    /^[\x20-\x7e]{0,4096}$/.test(text)
  );
}

function entriesOf(value: unknown): [string, unknown][] {
  return isRecord(value) ? Object.entries(value).slice(0, maxEntries) : [];
}

const maxEntries = 50;

function isPath(value: unknown): value is string {
  return typeof value === 'string' && isAbsolutePath(value) && value.length < 4_096;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
