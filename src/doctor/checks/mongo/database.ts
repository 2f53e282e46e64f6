import type { Check, Finding } from '../../check.js';
import { fail, ok, skip, warn } from '../../check-result.js';
import { databaseName, hostsOf, mongoErrorKind, withMongo, withoutCredentials } from '../../clients/mongo.js';
import { openAddress } from '../../clients/listens.js';
import { judgeSettings, type GirderSettings } from '../girder/settings.js';

const unreachable = 'MongoDB does not answer';

/** Checks for Girder's collections. */
export function judgeCollections(collections: readonly string[], name: string): Finding {
  const missing = ['setting', 'user', 'job'].filter((one) => !collections.includes(one));
  if (missing.length === 0) return ok(`database ${name} is Girder's`);
  return fail(
    `Database ${name} has no collection ${missing.join(', ')}: it is not Girder's, or its plugin "jobs" is not installed.`,
    'dsa-slurm config set mongo.uri -   # such as mongodb://localhost:27017/girder',
  );
}

export const database: Check = {
  id: 'mongo.database',
  group: 'mongo',
  title: "Girder's database",
  needs: ['mongo.ping'],
  async run({ needed }) {
    const facts = needed('mongo.ping');
    if (facts === null) return skip(unreachable);
    return judgeCollections(facts.collections, databaseName(facts.uri));
  },
};

export const open: Check = {
  id: 'mongo.open',
  group: 'mongo',
  title: 'access without a password',
  needs: ['mongo.ping'],
  async run({ needed, signal }) {
    const facts = needed('mongo.ping');
    const [first] = facts === null ? [] : hostsOf(facts.uri);
    if (facts === null || first === undefined) return skip(unreachable);
    try {
      await withMongo(withoutCredentials(facts.uri), async (db) =>
        db.listCollections({}, { nameOnly: true }).toArray(),
      );
    } catch (thrown) {
      return mongoErrorKind(thrown) === 'auth'
        ? ok('requires a password')
        : skip('access without a password could not be tested');
    }
    const address = await openAddress(first.hostname, first.port, signal);
    if (address === null) return ok('requires no password, but its port is closed to other hosts');
    return warn(
      `MongoDB at ${address}:${first.port} gives full access without a password.`,
      'Bind it to 127.0.0.1 (net.bindIp in mongod.conf, or "127.0.0.1:27017:27017" in docker-compose.yml), or enable security.authorization.',
    );
  },
};

export const settings: Check = {
  id: 'mongo.settings',
  group: 'mongo',
  title: 'stored worker settings',
  needs: ['mongo.database'],
  async run({ settings, profile }) {
    const { uri } = settings.mongo;
    if (uri === null) return skip(unreachable);
    const stored = await withMongo(uri, async (db) =>
      db
        .collection<{ key: string; value: unknown }>('setting')
        .find({ key: { $in: ['worker.broker', 'worker.backend', 'worker.api_url', 'worker.direct_path'] } })
        .toArray(),
    );
    const text = (key: string) => {
      const value = stored.find((one) => one.key === key)?.value;
      return typeof value === 'string' ? value : null;
    };
    const theirs: GirderSettings = {
      'worker.broker': text('worker.broker'),
      'worker.backend': text('worker.backend'),
      'worker.api_url': text('worker.api_url'),
      'worker.direct_path': stored.find((one) => one.key === 'worker.direct_path')?.value === true,
    };
    // only Girder 3 stores the broker
    const major = stored.some(({ key }) => key === 'worker.broker') ? 3 : 5;
    const { finding } = judgeSettings(theirs, settings, { major, profile });
    if (major === 3) return finding;
    const evidence = finding.evidence.filter((line) => !line.includes('GIRDER_WORKER_BROKER'));
    const note = 'no broker is stored: Girder has it in its environment, which cannot be checked from here';
    return {
      ...finding,
      evidence: [...evidence, `${note} (GIRDER_WORKER_BROKER, or GIRDER_SETTING_WORKER_BROKER of Girder 3)`],
    };
  },
};
