import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../../config/index.js';
import { readBrokerUrl } from '../../../celery/amqp/broker-url.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, ok, quoted, skip, warn } from '../../check-result.js';
import { readIni } from '../../../base/ini.js';
import { readCompose } from '../../site-files/compose.js';
import { readEnv } from '../../site-files/env-file.js';
import { readSiteFile } from '../../site-files/read-site-file.js';
import { readRunScript } from '../../site-files/run-script.js';

/** What a file of a deployment says about something that is a setting here. */
export interface Statement {
  file: string;
  /** As the file calls it. */
  name: string;
  key:
    | 'dirs.tmp'
    | 'dirs.logs'
    | 'dirs.images'
    | 'slurm.submitScript'
    | 'slurm.mountPrefix'
    | 'slurm.partition'
    | 'broker.url';
  value: string;
}

const names: Readonly<Record<string, Statement['key']>> = {
  TMP: 'dirs.tmp',
  TMPDIR: 'dirs.tmp',
  LOGS: 'dirs.logs',
  SIF_IMAGE_PATH: 'dirs.images',
  GIRDER_WORKER_SLURM_SUBMIT_SCRIPT: 'slurm.submitScript',
  GIRDER_WORKER_SLURM_MOUNT_PREFIX: 'slurm.mountPrefix',
  GIRDER_WORKER_SLURM_PARTITION: 'slurm.partition',
  GIRDER_WORKER_BROKER: 'broker.url',
  CELERY_BROKER_URL: 'broker.url',
};

function statements(file: string, values: ReadonlyMap<string, string>): Statement[] {
  return [...values].flatMap(([name, value]) => {
    const key = Object.hasOwn(names, name) ? names[name] : undefined;
    // expansions that only a shell can evaluate cannot be compared
    return key === undefined || /[$`]/.test(value) ? [] : [{ file, name, key, value }];
  });
}

/** Compares what files say with the settings. Broker addresses are never shown, and hosts may differ in and outside of containers. Pure. */
function judgeStatements(all: readonly Statement[], settings: Settings, profile: string): Finding {
  if (all.length === 0) return ok('the files say nothing that is a setting here');
  return combine(
    all.map(({ file, name, key, value }) => {
      const same =
        key === 'broker.url' ? sameBroker(value, settings.broker.url) : value === ourValue(settings, key);
      if (same) return ok(`${file}: ${name} agrees with ${key}`);
      const shown = key === 'broker.url' ? 'another user, password or virtual host' : `"${value}"`;
      const fix = configSet(profile, key, key === 'broker.url' ? '-' : value);
      return warn(`${file}: ${name} is ${shown}, ${key} is not.`, `${fix}   # or correct ${quoted(file)}`);
    }),
  );
}

function ourValue(settings: Settings, key: Statement['key']): string | null {
  const [group = '', member = ''] = key.split('.');
  const value = (settings as Record<string, Record<string, unknown>>)[group]?.[member];
  return typeof value === 'string' ? value : null;
}

/** The host may differ: `rabbitmq` inside the containers is `localhost` outside. */
function sameBroker(theirs: string, ours: string): boolean {
  try {
    const [a, b] = [readBrokerUrl(theirs), readBrokerUrl(ours)];
    return a.user === b.user && a.connect.password === b.connect.password && a.virtualHost === b.virtualHost;
  } catch {
    return false;
  }
}

export const deployment: Check = {
  id: 'configuration.deployment',
  group: 'configuration',
  title: 'agreement with the files of the deployment',
  async run({ siteDirectory, settings, profile }) {
    if (siteDirectory === null)
      return skip('no directory with run.sh or docker-compose.yml is named (--site)');
    const found: Statement[] = [];
    const unreadable: Finding[] = [];
    const env = readEnv((await readSiteFile(join(siteDirectory, '.env'))) ?? '');
    for (const file of (await readdir(siteDirectory)).toSorted()) {
      const read = reader(file, siteDirectory, env);
      if (read === null) continue;
      const text = await readSiteFile(join(siteDirectory, file));
      const values = text === null ? null : read(text);
      if (values !== null) found.push(...statements(file, values));
      else
        unreadable.push(
          warn(`${file} cannot be read or is invalid.`, `less ${quoted(join(siteDirectory, file))}`),
        );
    }
    return combine([judgeStatements(found, settings, profile), ...unreadable]);
  },
};

/** How to read a file of a deployment, by its name: variables, or null if it is invalid. Nothing is executed. */
function reader(
  file: string,
  directory: string,
  env: ReadonlyMap<string, string>,
): ((text: string) => ReadonlyMap<string, string> | null) | null {
  if (/^(run|install|create)\.sh$/.test(file)) return (text) => readRunScript(text, directory).values;
  if (file === '.env') return readEnv;
  if (/^(docker-)?compose(\.override)?\.ya?ml$/.test(file)) {
    return (text) => {
      const services = readCompose(text, directory, env);
      return services === null
        ? null
        : new Map([...services.values()].flatMap(({ environment }) => [...environment]));
    };
  }
  if (/^worker\.(dist|local)\.cfg$/.test(file)) {
    return (text) => {
      const broker = readIni(text).get('celery.broker');
      // a reference such as %(RABBITMQ_USER)s has a value that is set elsewhere
      return new Map(broker === undefined || broker.includes('%(') ? [] : [['GIRDER_WORKER_BROKER', broker]]);
    };
  }
  return null;
}
