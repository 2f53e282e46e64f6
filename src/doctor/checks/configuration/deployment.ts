import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../../config/index.js';
import { readBrokerUrl } from '../../../celery/amqp/broker-url.js';
import type { Check, Finding } from '../../check.js';
import { combine, configSet, ok, quoted, skip, warn } from '../../check-result.js';
import { readIni } from '../../../base/text/ini.js';
import { readCompose } from '../../site-files/compose.js';
import { readEnv } from '../../site-files/env-file.js';
import { readSiteFile } from '../../site-files/read-site-file.js';
import { readRunScript } from '../../site-files/run-script.js';

/** A value in a deployment file that corresponds to a setting. */
export interface Statement {
  file: string;
  /** Name in the file. */
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
    // values that need a shell cannot be compared
    return key === undefined || /[$`]/.test(value) ? [] : [{ file, name, key, value }];
  });
}

/** Compares files with the settings. Broker addresses are never shown, and their hosts may differ inside and outside of containers. */
function judgeStatements(all: readonly Statement[], settings: Settings, profile: string): Finding {
  if (all.length === 0) return ok('the files contain no value of a setting');
  return combine(
    all.map(({ file, name, key, value }) => {
      const same =
        key === 'broker.url' ? sameBroker(value, settings.broker.url) : value === valueOf(settings, key);
      if (same) return ok(`${file}: ${name} agrees with ${key}`);
      const shown = key === 'broker.url' ? 'a different user, password or virtual host' : `"${value}"`;
      const fix = configSet(profile, key, key === 'broker.url' ? '-' : value);
      return warn(`${file}: ${name} is ${shown}, unlike ${key}.`, `${fix}   # or correct ${quoted(file)}`);
    }),
  );
}

function valueOf(settings: Settings, key: Statement['key']): string | null {
  const [group = '', member = ''] = key.split('.');
  const value = (settings as Record<string, Record<string, unknown>>)[group]?.[member];
  return typeof value === 'string' ? value : null;
}

/** The host may differ: `rabbitmq` inside containers is `localhost` outside. */
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
  title: 'agreement with deployment files',
  async run({ siteDirectory, settings, profile }) {
    if (siteDirectory === null)
      return skip('no directory with run.sh or docker-compose.yml was given (--site)');
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

/** Parser for a deployment file, by its name: returns variables, or null if invalid. Executes nothing. */
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
      // a reference such as %(RABBITMQ_USER)s is set elsewhere
      return new Map(broker === undefined || broker.includes('%(') ? [] : [['GIRDER_WORKER_BROKER', broker]]);
    };
  }
  return null;
}
