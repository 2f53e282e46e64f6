import type { Check, Finding } from '../../check.js';
import { configSet, fail, ok, skip, warn } from '../../check-result.js';
import { certificateError, databaseName, hostsOf, mongoErrorKind, withMongo } from '../../clients/mongo.js';

/** Girder's database; null if it cannot be reached. */
export interface MongoFacts {
  uri: string;
  collections: readonly string[];
}

/** Server, login and database. */
export const ping: Check<'mongo.ping'> = {
  id: 'mongo.ping',
  group: 'mongo',
  title: 'server, login and version',
  async run({ settings, profile }) {
    const { uri } = settings.mongo;
    if (uri === null) return skip("mongo.uri is not set, so Girder's database is not checked");
    const where =
      hostsOf(uri)
        .map(({ hostname, port }) => `${hostname}:${port}`)
        .join(', ') || 'the configured server';
    try {
      const { version, collections } = await withMongo(uri, async (database) => {
        await database.command({ ping: 1 });
        const info = await database.command({ buildInfo: 1 });
        const list = await database.listCollections({}, { nameOnly: true }).toArray();
        return { version: String(info['version']), collections: list.map(({ name }) => name) };
      });
      const fact: MongoFacts = { uri, collections };
      return { ...judgeVersion(version, `${where}, database ${databaseName(uri)}`), fact };
    } catch (thrown) {
      switch (mongoErrorKind(thrown)) {
        case 'auth':
          return fail(
            `MongoDB at ${where} rejected the user or password.`,
            configSet(profile, 'mongo.uri', '-'),
          );
        case 'certificate':
          return {
            ...fail(
              `The TLS certificate of MongoDB at ${where} is not trusted: ${certificateError(thrown)}.`,
              `${configSet(profile, 'mongo.uri', '-')}   # add tlsCAFile=/path/to/ca.pem if your site has its own CA`,
            ),
            fact: null,
          };
        case 'network':
          // the worker itself does not need MongoDB
          return {
            ...warn(
              `MongoDB at ${where} does not answer.`,
              `nc -vz ${where.split(',')[0]?.replace(':', ' ')}   # is it running, and its port open to this host?`,
            ),
            fact: null,
          };
        case 'other':
          throw thrown;
      }
    }
  },
};

/** Judges MongoDB's version. */
export function judgeVersion(version: string, where: string): Finding {
  const major = Number(version.split('.')[0]);
  const seen = `MongoDB ${version} at ${where}`;
  return major < 4
    ? warn(`${seen}: Girder requires 4 or later.`, 'Upgrade MongoDB one major version at a time.')
    : ok(seen);
}
