import { getCACertificates } from 'node:tls';
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import { DsaSlurmError, errorLine } from '../../base/errors.js';
import { checkTlsMaterial, readPemFile, type TlsMaterial } from '../../base/pem-file.js';

/** How one Girder is reached, where that differs from the rest. */
export interface ConnectionOptions extends TlsMaterial {
  /** Certificates are not checked. */
  insecure?: boolean;
  /** URL of the proxy, with its password if it has one. */
  proxy?: string;
}

/** The open connections to Girder that all runs share. */
export interface GirderConnections {
  dispatcher(options?: ConnectionOptions): Dispatcher;
  /** Resolves when a request that changes something may be sent. @throws DsaSlurmError if another worker has taken over */
  mayWrite(): Promise<void>;
  close(): Promise<void>;
}

/** Kinds of connections that are kept open: messages may ask for any number of them. */
const mostKinds = 32;

const always = async (): Promise<void> => undefined;

/**
 * Connect within 10 s, answer begun within 60 s, and no silence of more than 120 s inside an answer.
 * @param authorities certificates, in PEM, that are trusted besides those that Node trusts (which are the usual public
 * ones and those of `NODE_EXTRA_CA_CERTS`)
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
      // the one that was used last is the last in the map
      kinds.delete(kind);
      kinds.set(kind, dispatcher);
      for (const [oldest, old] of kinds) {
        if (kinds.size <= mostKinds) break;
        kinds.delete(oldest);
        // what is under way on it goes on to its end
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
 * Connections that trust the site's own authorities too: setting `girder.caFile`.
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
      next: 'The setting girder.caFile names the certificate of the authority that vouches for Girder, in PEM.',
      cause,
    });
  }
}
