import type { Check, Finding } from '../../check.js';
import { configSet, fail, ok, skip, warn } from '../../check-result.js';
import { certificateTrouble, databaseName, hostsOf, mongoTrouble, withMongo } from '../../clients/mongo.js';

/** Girder's database, for those checks that read it; not given where it could not be reached. */
export interface MongoFacts {
  uri: string;
  collections: readonly string[];
}

/** The server, the login and the database. */
export const ping: Check = {
  id: 'mongo.ping',
  group: 'mongo',
  title: 'server, login and version',
  async run({ settings, profile }) {
    const { uri } = settings.mongo;
    if (uri === null) return skip('mongo.uri is not set: Girder’s database is not looked at');
    const where =
      hostsOf(uri)
        .map(({ hostname, port }) => `${hostname}:${port}`)
        .join(', ') || 'the named server';
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
      switch (mongoTrouble(thrown)) {
        case 'auth':
          return fail(
            `MongoDB at ${where} refuses the user or the password.`,
            configSet(profile, 'mongo.uri', '-'),
          );
        case 'certificate':
          return {
            ...fail(
              `The TLS certificate of MongoDB at ${where} is not accepted: ${certificateTrouble(thrown)}.`,
              `${configSet(profile, 'mongo.uri', '-')}   # add tlsCAFile=/path/to/ca.pem if your site has its own authority`,
            ),
            fact: null,
          };
        case 'network':
          // the worker itself needs no MongoDB
          return {
            ...warn(
              `MongoDB at ${where} does not answer.`,
              `nc -vz ${where.split(',')[0]?.replace(':', ' ')}   # is it up, and its port open to this machine?`,
            ),
            fact: null,
          };
        case 'other':
          throw thrown;
      }
    }
  },
};

/** Pure. */
export function judgeVersion(version: string, where: string): Finding {
  const major = Number(version.split('.')[0]);
  const seen = `MongoDB ${version} at ${where}`;
  return major < 4
    ? warn(`${seen}: Girder wants 4 or later.`, 'Upgrade MongoDB one major version at a time.')
    : ok(seen);
}
