import { dirname, resolve } from 'node:path';
import { maskAssignment, maskText, masked } from '../../base/text/redact.js';
import { findSetting, formatValue } from '../../config/catalog.js';
import { brokerUrlOf, readBroker } from '../files/addresses.js';
import { readAnswer } from '../flow/partial-answers.js';
import type { OldValue } from '../import/old-values.js';
import { secretAnswers, type Draft } from '../init-answers.js';

/** What becomes of one value of the old setup. Contains no secret. */
export interface MigrationRow {
  /** Absolute path of the file that sets it. */
  file: string;
  name: string;
  /** As written there; null: only a shell can determine it. */
  before: string | null;
  /**
   * `kept`: the setting has this value; `changed`: it has another one; `open`: init asks for it, and it has no value so far; `unneeded`: nothing takes its
   * place; `lost`: it cannot be carried over.
   */
  fate: 'kept' | 'changed' | 'open' | 'unneeded' | 'lost';
  /** Key of the setting or answer; null: none. */
  setting: string | null;
  after: string | null;
  why: string | null;
}

/** Values that nothing takes the place of, and why. */
const unneeded: Readonly<Record<string, string>> = {
  '--concurrency':
    'Slurm queues the jobs; worker.inFlight limits how many tasks this worker accepts at a time',
  '--hostname': 'this worker has a name of its own, worker.name',
  'celery.app_main': 'it has no effect on messages',
  'girder_worker.tmp_root': 'the Python worker does not use it either',
  'logging.level': 'set log.level if another level than info is wanted',
  'logging.format': 'logs are JSON lines, or readable lines at a terminal',
  GIRDER_WORKER_LOGGING_LEVEL: 'set log.level if another level than info is wanted',
  GIRDER_WORKER_LOGGING_FORMAT: 'logs are JSON lines, or readable lines at a terminal',
  C_FORCE_ROOT: 'no pickled messages are accepted, so there is nothing to force',
  DOCKER_CLIENT_TIMEOUT: 'Docker is not used',
  DSA_WORKER_CONCURRENCY: 'Slurm queues the jobs',
};

/** Values that cannot be carried over, and what to do instead. */
const lost: Readonly<Record<string, string>> = {
  GIRDER_WORKER_DOCKER_RUN_OPTIONS: 'Apptainer has other options than Docker: set apptainer.options',
  GIRDER_WORKER_TASK_ALWAYS_EAGER: 'tasks always come from RabbitMQ',
};

/**
 * What becomes of each value of the old setup.
 * @param draft the answers so far
 * @param settings values of settings without a question, by key
 */
export function migrationRows(
  values: readonly OldValue[],
  draft: Draft,
  settings: Readonly<Record<string, unknown>>,
): MigrationRow[] {
  const decided = new Map<string, string>();
  return values.map((value) => {
    const row = rowOf(value, draft, settings);
    const { setting, fate } = row;
    if (setting === null || fate === 'open') return row;
    const earlier = decided.get(setting);
    // user, password and port of a compose file are parts of one address
    if (earlier === undefined) decided.set(setting, value.file);
    else if (fate === 'changed') return { ...row, why: `${earlier} takes precedence` };
    return row;
  });
}

function rowOf(
  { file, name, text, setting }: OldValue,
  draft: Draft,
  settings: Readonly<Record<string, unknown>>,
): MigrationRow {
  const row = { file, name: printable(name), before: text === null ? null : shown(name, setting, text) };
  const none = { setting: null, after: null };
  if (setting === 'broker.backend') {
    return {
      ...row,
      ...none,
      fate: /^(rpc|amqp)/.test(text ?? '') ? 'unneeded' : 'lost',
      why: 'results are sent through RabbitMQ (rpc://), as Girder expects',
    };
  }
  if (setting === null) {
    const reason = lost[name] ?? unneeded[name];
    if (reason !== undefined)
      return { ...row, ...none, fate: name in lost ? 'lost' : 'unneeded', why: reason };
    if (/^#SBATCH --(nodes|ntasks)$|^#SBATCH -[Nn]$/.test(name) && text === '1') {
      return { ...row, ...none, fate: 'unneeded', why: 'it is what Slurm assumes' };
    }
    if (name.startsWith('#SBATCH')) {
      return {
        ...row,
        ...none,
        fate: 'lost',
        why: 'no setting has this option: add the line to the new batch script, or leave it out',
      };
    }
    return { ...row, ...none, fate: 'unneeded', why: null };
  }
  const after = settings[setting] ?? answerOf(setting, draft);
  if (after === undefined || after === null || after === '') {
    return {
      ...row,
      setting,
      fate: 'open',
      after: null,
      why: text === null ? 'only a shell can determine it' : 'init asks for it, and nothing was given',
    };
  }
  const same = text !== null && sameValue(setting, file, text, after);
  return {
    ...row,
    setting,
    fate: same ? 'kept' : 'changed',
    after: shown(setting, setting, formatValue(after)),
    why:
      !same && setting === 'slurm.submitScript'
        ? 'the old script stays for the Python worker; a new one is written'
        : null,
  };
}

/** The value that a setting or an answer will have. */
function answerOf(key: string, draft: Draft): unknown {
  if (key === 'slurm.submitScript') return draft.dirs?.submitScript;
  if (key !== 'broker.url') return readAnswer(draft, key);
  const { host, port, user, password, vhost = '/', tls = false } = draft.broker ?? {};
  if (host === undefined || port === undefined || user === undefined || password === undefined)
    return undefined;
  return brokerUrlOf({ host, port, user, password, vhost, tls });
}

function sameValue(key: string, file: string, text: string, after: unknown): boolean {
  if (key === 'broker.url') {
    const [before, now] = [readBroker(text.split(';', 1)[0] ?? ''), readBroker(formatValue(after))];
    return before !== null && JSON.stringify(before) === JSON.stringify(now);
  }
  const setting = findSetting(key);
  // Python treats any text as true
  if (setting?.kind === 'boolean') return after === true;
  if (setting?.info.path === true) return resolve(dirname(file), text) === after;
  return text.replace(/\/+$/, '') === formatValue(after).replace(/\/+$/, '');
}

/** A value without secrets and control characters, of at most 200 characters. */
function shown(name: string, setting: string | null, text: string): string {
  const isSecret = (secretAnswers as readonly string[]).includes(setting ?? '') && setting !== 'mongo.uri';
  if (isSecret) return masked;
  const prefix = `${name.replaceAll(/[^\w.-]/g, '_')}=`;
  const safe = maskAssignment(`${prefix}${maskText(text)}`).slice(prefix.length);
  return printable(safe).slice(0, 200);
}

function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{FFFD}');
}
