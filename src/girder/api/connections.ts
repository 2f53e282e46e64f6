import { getCACertificates } from 'node:tls';
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { checkTlsMaterial, readPemFile, type TlsMaterial } from '../../base/files/pem-file.js';

/** How to connect to a Girder, where that differs from the default. */
export interface ConnectionOptions extends TlsMaterial {
  /** Do not verify certificates. */
  insecure?: boolean;
  /** URL of the proxy; may include credentials. */
  proxy?: string;
}

/** The connections to Girder that all runs share. */
export interface GirderConnections {
  dispatcher(options?: ConnectionOptions): Dispatcher;
  /** Resolves when a modifying request may be sent. @throws DsaSlurmError if another worker has taken over */
  mayWrite(): Promise<void>;
  close(): Promise<void>;
}

/** Maximum number of dispatchers kept open; messages may ask for any number of different options. */
const maxDispatchers = 32;

const always = async (): Promise<void> => undefined;

/**
 * Timeouts: 10 s to connect, 60 s until the response starts, 120 s without data inside a response.
 * @param authorities CA certificates in PEM, trusted in addition to those of Node (the public ones and `NODE_EXTRA_CA_CERTS`)
 * @param mayWrite see {@link GirderConnections}
 */
export function createGirderConnections(
  authorities: string | null = null,
  mayWrite: GirderConnections['mayWrite'] = always,
): GirderConnections {
  const trusted = authorities === null ? {} : { ca: [...getCACertificates('default'), authorities] };
  const kinds = new Map<string, Dispatcher>();

  function open({ insecure = false, proxy, ...material }: ConnectionOptions): Dispatcher {
    const timeouts = { headersTimeout: 60_000, bodyTimeout: 120_000 };
    const tls = { ...trusted, ...material, timeout: 10_000, rejectUnauthorized: !insecure };
    if (proxy === undefined) return new Agent({ ...timeouts, connect: tls });
    return new ProxyAgent({
      ...timeouts,
      uri: proxy,
      connectTimeout: 10_000,
      requestTls: tls,
      proxyTls: trusted,
    });
  }

  return {
    mayWrite,
    dispatcher(options = {}) {
      const kind = JSON.stringify(options);
      const dispatcher = kinds.get(kind) ?? open(options);
      // keeps the map in order of last use
      kinds.delete(kind);
      kinds.set(kind, dispatcher);
      for (const [oldest, old] of kinds) {
        if (kinds.size <= maxDispatchers) break;
        kinds.delete(oldest);
        // close() lets requests in flight finish
        old.close().catch(() => undefined);
      }
      return dispatcher;
    },
    async close() {
      await Promise.all([...kinds.values()].map(async (each) => each.destroy()));
      kinds.clear();
    },
  };
}

/**
 * Creates connections that also trust the site's own authorities, from setting `girder.caFile`.
 * @throws DsaSlurmError `config` if the file cannot be used
 */
export async function openGirderConnections(
  { caFile }: { caFile: string | null },
  mayWrite: GirderConnections['mayWrite'] = always,
): Promise<GirderConnections> {
  if (caFile === null) return createGirderConnections(null, mayWrite);
  try {
    const ca = await readPemFile(caFile);
    checkTlsMaterial(caFile, { ca });
    return createGirderConnections(ca, mayWrite);
  } catch (cause) {
    throw new DsaSlurmError('config', errorLine(cause), {
      next: 'Set girder.caFile to a PEM file with the CA certificate that signed the certificate of Girder.',
      cause,
    });
  }
}
