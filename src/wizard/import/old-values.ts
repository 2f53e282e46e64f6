import { catalog, siteDefaults } from '../../config/catalog.js';
import { readAnswer } from '../flow/partial-answers.js';
import type { Draft } from '../init-answers.js';

/** One value that a file of an existing site sets. */
export interface OldValue {
  /** Absolute path of the file. */
  file: string;
  /** `LOGS`, `--concurrency`, `celery.broker`, `#SBATCH --mem`, `port of RabbitMQ`. */
  name: string;
  /** May contain a password. Null: only a shell can determine it. */
  text: string | null;
  /** Key of the setting that replaces it, or of the answer (`mongo.uri`); null: there is none. */
  setting: string | null;
}

/** Variables of a script. */
export function scriptValues(
  file: string,
  values: ReadonlyMap<string, string>,
  unknown: readonly string[],
): OldValue[] {
  return [
    ...[...values].map(([name, text]) => ({ file, name, text, setting: settingOfVariable(name) })),
    ...unknown.map((name) => ({ file, name, text: null, setting: settingOfVariable(name) })),
  ];
}

/** The setting that a variable of the Python worker is. */
function settingOfVariable(name: string): string | null {
  if (name === 'TMPDIR' || name === 'TEMP') return 'dirs.tmp';
  return catalog.find(({ info }) => info.legacyEnv?.includes(name) === true)?.key ?? null;
}

/** Options of Celery's command line that mean something here, by their long name. */
const celeryOptions: readonly { long: string; short: string; setting: string | null }[] = [
  { long: '--queues', short: '-Q', setting: 'broker.queues' },
  { long: '--concurrency', short: '-c', setting: null },
  { long: '--hostname', short: '-n', setting: null },
];

/** Options of the command that starts the Python worker, and the settings that follow from them. */
export function optionValues(
  file: string,
  commands: readonly (readonly (string | null)[])[],
): { values: OldValue[]; settings: Record<string, unknown> } {
  const command = commands.find((words) =>
    words.some((word) => word !== null && /(^|[/.])girder_worker(\.|$)/.test(word)),
  );
  const values: OldValue[] = [];
  const settings: Record<string, unknown> = {};
  for (const { long, short, setting } of celeryOptions) {
    const text = command === undefined ? undefined : optionOf(command, long, short);
    if (text === undefined) continue;
    values.push({ file, name: long, text, setting });
    if (setting !== 'broker.queues' || text === null) continue;
    // Girder's own queue is not for a worker on a cluster
    const queues = text.split(',').filter((queue) => queue !== '' && queue !== 'local');
    if (queues.length > 0) settings[setting] = [...new Set(queues)];
  }
  return { values, settings };
}

/** `--queues=a`, `--queues a`, `-Q a` or `-Qa`; undefined: not given. */
function optionOf(words: readonly (string | null)[], long: string, short: string): string | null | undefined {
  for (const [index, word] of words.entries()) {
    if (word === long || word === short) return words[index + 1] ?? null;
    if (word?.startsWith(`${long}=`) === true) return word.slice(long.length + 1);
    if (word?.startsWith(short) === true) return word.slice(short.length);
  }
  return undefined;
}

/** Values of worker.local.cfg or worker.dist.cfg. */
export function iniValues(file: string, values: ReadonlyMap<string, string>): OldValue[] {
  const settings: Readonly<Record<string, string>> = {
    'celery.broker': 'broker.url',
    'celery.backend': 'broker.backend',
  };
  return [...values].map(([name, text]) => ({ file, name, text, setting: settings[name] ?? null }));
}

/** Options in `#SBATCH` lines. */
export function sbatchValues(file: string, options: ReadonlyMap<string, string>): OldValue[] {
  return [...options].map(([name, text]) => ({
    file,
    name: `#SBATCH ${name.length === 1 ? '-' : '--'}${name}`,
    text,
    setting: siteDefaults.find(({ option }) => option === name)?.setting.key ?? null,
  }));
}

/** What the worker uses of a compose file. */
const composeKeys: readonly (readonly [key: string, name: string])[] = [
  ['dirs.images', 'volume /SIF of Girder'],
  ['dirs.logs', 'volume $LOGS of Girder'],
  ['broker.port', 'port of RabbitMQ'],
  ['broker.user', 'user of RabbitMQ'],
  ['broker.password', 'password of RabbitMQ'],
  ['broker.vhost', 'vhost of RabbitMQ'],
  ['girder.apiUrl', 'port of Girder'],
  ['mongo.uri', 'port of MongoDB'],
];

/** Values that were imported from a compose file. */
export function composeValues(file: string, answers: Draft): OldValue[] {
  return composeKeys.flatMap(([key, name]) => {
    const value = readAnswer(answers, key);
    return value === undefined || value === null ? [] : [{ file, name, text: String(value), setting: key }];
  });
}
