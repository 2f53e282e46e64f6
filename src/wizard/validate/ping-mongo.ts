import { DsaSlurmError, coerceError } from '../../base/errors.js';
import type { Doors } from '../detect/site-probes.js';

const limitMs = 4_000;

/**
 * Connects to MongoDB and logs in if the address has a user.
 * @throws DsaSlurmError without the password
 */
export const pingMongo: Doors['mongo']['ping'] = async (uri) => {
  const { MongoClient } = await import('mongodb');
  const where = shown(uri);
  let client: InstanceType<typeof MongoClient>;
  try {
    client = new MongoClient(uri, { serverSelectionTimeoutMS: limitMs, connectTimeoutMS: limitMs });
  } catch (thrown) {
    throw trouble(`${where} is not an address of MongoDB.`, thrown);
  }
  try {
    const database = client.db();
    await database.command({ ping: 1 });
    const { version } = (await database.command({ buildInfo: 1 })) as { version?: string };
    // listing databases needs a login wherever logins are needed
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
    const refused = /auth/i.test(message);
    throw trouble(
      refused ? `MongoDB at ${where} refused the login.` : `MongoDB at ${where} does not answer.`,
      thrown,
    );
  } finally {
    await client.close().catch(() => undefined);
  }
};

function trouble(message: string, cause: unknown): DsaSlurmError {
  return new DsaSlurmError('config', message, {
    next: 'Write it as mongodb://host:27017/girder, or answer - where this host cannot reach it.',
    cause,
  });
}

function shown(uri: string): string {
  return URL.parse(uri)?.host ?? 'this address';
}
