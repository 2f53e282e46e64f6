import { DsaSlurmError, coerceError } from '../../base/errors.js';
import type { SiteProbes } from '../detect/site-probes.js';

const timeoutMs = 4_000;

/**
 * Connects to MongoDB, and logs in if the address contains a user.
 * @throws DsaSlurmError whose message does not contain the password
 */
export const pingMongo: SiteProbes['mongo']['ping'] = async (uri) => {
  const { MongoClient } = await import('mongodb');
  const where = shown(uri);
  let client: InstanceType<typeof MongoClient>;
  try {
    client = new MongoClient(uri, { serverSelectionTimeoutMS: timeoutMs, connectTimeoutMS: timeoutMs });
  } catch (thrown) {
    throw mongoError(`${where} is not a MongoDB address.`, thrown);
  }
  try {
    const database = client.db();
    await database.command({ ping: 1 });
    const { version } = (await database.command({ buildInfo: 1 })) as { version?: string };
    // fails without a login if authorization is enabled
    const databases = await client
      .db('admin')
      .command({ listDatabases: 1, nameOnly: true })
      .then(
        (answer) => (answer['databases'] as { name: string }[]).map(({ name }) => name),
        () => null,
      );
    return {
      version: version ?? 'of unknown version',
      open: databases !== null && new URL(uri).username === '',
      hasGirder:
        databases?.includes(database.databaseName === 'test' ? 'girder' : database.databaseName) ?? true,
    };
  } catch (thrown) {
    const { message } = coerceError(thrown);
    const isRejected = /auth/i.test(message);
    throw mongoError(
      isRejected ? `MongoDB at ${where} rejected the login.` : `MongoDB at ${where} does not answer.`,
      thrown,
    );
  } finally {
    await client.close().catch(() => undefined);
  }
};

function mongoError(message: string, cause: unknown): DsaSlurmError {
  return new DsaSlurmError('config', message, {
    next: 'Write it like mongodb://host:27017/girder, or answer - if this host cannot reach it.',
    cause,
  });
}

function shown(uri: string): string {
  return URL.parse(uri)?.host ?? 'this address';
}
