import type { Db, MongoClient } from 'mongodb';
import { systemCode } from '../../base/errors.js';

const waitMs = 3_000;

/** The database that a URI names; default `girder`, as in Girder. */
export function databaseName(uri: string): string {
  const path = /^mongodb(?:\+srv)?:\/\/[^/]*\/([^?]*)/.exec(uri)?.[1] ?? '';
  return path === '' ? 'girder' : decodeURIComponent(path);
}

/** A URI without its user and password. */
export function withoutCredentials(uri: string): string {
  return uri.replace(/^(mongodb(?:\+srv)?:\/\/)[^/]*@/, '$1').replaceAll(/([?&])auth\w+=[^&]*&?/gi, '$1');
}

/** Hosts and ports of a URI. */
export function hostsOf(uri: string): { hostname: string; port: number }[] {
  const list = /^mongodb:\/\/(?:[^/]*@)?([^/?]+)/.exec(uri)?.[1] ?? '';
  return list
    .split(',')
    .filter((host) => host !== '')
    .map((host) => {
      const [, hostname = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
      return { hostname: hostname.replaceAll(/^\[|\]$/g, ''), port: Number(port ?? 27_017) };
    });
}

/** Opens Girder's database, uses it and closes it. The driver is loaded lazily, because most sites do not need it. */
export async function withMongo<T>(
  uri: string,
  use: (database: Db, client: MongoClient) => Promise<T>,
): Promise<T> {
  const { MongoClient } = await import('mongodb');
  const client = new MongoClient(uri, {
    serverSelectionTimeoutMS: waitMs,
    connectTimeoutMS: waitMs,
    socketTimeoutMS: waitMs,
    maxPoolSize: 2,
    appName: 'dsa-slurm doctor',
    retryReads: false,
  });
  try {
    await client.connect();
    return await use(client.db(databaseName(uri)), client);
  } finally {
    await client.close(true).catch(() => undefined);
  }
}

/** Classifies an error of the driver. */
export function mongoErrorKind(thrown: unknown): 'network' | 'certificate' | 'auth' | 'other' {
  const { name, code, codeName } = (thrown ?? {}) as { name?: unknown; code?: unknown; codeName?: unknown };
  if (code === 18 || code === 13 || codeName === 'AuthenticationFailed' || codeName === 'Unauthorized')
    return 'auth';
  if (certificateError(thrown) !== null) return 'certificate';
  return /^Mongo(ServerSelection|Network|TopologyClosed|NetworkTimeout)/.test(String(name))
    ? 'network'
    : 'other';
}

/** The TLS error if the server's certificate is not accepted; else null. */
export function certificateError(thrown: unknown): string | null {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 10; error = error.cause, depth += 1) {
    if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(systemCode(error) ?? '')) return error.message;
  }
  return null;
}
