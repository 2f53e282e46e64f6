import { open } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../base/clock.js';
import { createRunner, describeFailure } from '../../base/command.js';
import { errorLine } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import { printableJson } from '../../base/text/printable-json.js';
import { createTextMask, maskAssignment } from '../../base/text/redact.js';
import { programVersion } from '../../base/version.js';
import {
  catalog,
  maskedValue,
  unitDirectory,
  unitName,
  type LoadedSettings,
  type Settings,
} from '../../config/index.js';
import { slurmEnvironment } from '../../slurm/environment.js';
import { auditFileName } from '../../worker/run-state/audit-log.js';
import { journalPath, readJournal } from '../../worker/run-state/read-journal.js';
import { readServiceStatus } from '../../worker/runs/service-status.js';
import { viewJournal } from '../../worker/runs/view-journal.js';
import { secretsOf } from '../mask-result.js';
import type { BundleFile } from './tar.js';

export interface GatherOptions {
  profile: string;
  loaded: LoadedSettings;
  env: Readonly<Record<string, string | undefined>>;
  /** The report of the doctor, already masked; null to leave it out. */
  doctor: unknown;
}

/** How much of the end of a log is taken. */
const maxLogBytes = 1_000_000;
/** Variables that are shown; of all others, only the name. */
const shownVariables =
  /^(?:PATH|LANG|LC_.*|TZ|SLURM_CONF|XDG_.*|DSA_SLURM_.*|GW_DIRECT_PATHS|TMPDIR|TMP|TEMP|LOGS|SIF_IMAGE_PATH)$/;

/**
 * Gathers what somebody who helps needs, without secrets and without names of slides and users. A part that cannot be read says why.
 */
export async function gatherSupportFiles(options: GatherOptions): Promise<BundleFile[]> {
  const { profile, loaded, env, doctor } = options;
  const { settings } = loaded;
  const state = settings.dirs.state;
  const mask = createTextMask(await knownSecrets(settings, env));
  const masked = (text: string): string =>
    text
      .split('\n')
      .map((line) => mask(maskAssignment(line)))
      .join('\n');
  const run = createRunner({ env: slurmEnvironment(env, settings.slurm.environment), timeoutMs: 10_000 });

  async function command(file: string, args: readonly string[]): Promise<string> {
    const result = await run(file, args, { maxBytes: maxLogBytes });
    return result.kind === 'exited' ? `${result.stdout}${result.stderr}` : describeFailure(result);
  }

  const parts: [name: string, read: () => Promise<string> | string][] = [
    ['about.json', () => json({ ...about(), profile, environment: environmentOf(env) })],
    ['settings.json', () => json(settingsOf(loaded))],
    ['status.json', async () => json(await readServiceStatus(state))],
    ['runs.json', async () => json(await runsOf(state))],
    ...(doctor === null ? [] : [['doctor.json', () => json(doctor)] satisfies (typeof parts)[number]]),
    ['worker.log', async () => masked(await workerLog(settings, profile, command))],
    ['console.log', async () => masked(await tailOf(join(state, 'console.log')))],
    ['commands.jsonl', async () => masked(await tailOf(join(state, auditFileName)))],
    [
      'submit-script.txt',
      async () =>
        masked(await tailOf(settings.slurm.submitScript ?? packageFile('templates/singularity.slurm'))),
    ],
    ['unit.txt', async () => masked(await tailOf(join(unitDirectory(env), unitName(profile))))],
    ['slurm-config.txt', async () => masked(await command('scontrol', ['show', 'config']))],
    ['slurm-partitions.txt', async () => masked(await command('sinfo', ['--long']))],
    ['apptainer.txt', async () => masked(await command(settings.apptainer.command, ['--version']))],
  ];
  return Promise.all(
    parts.map(async ([name, read]) => {
      try {
        return { name, text: mask(await read()) };
      } catch (error) {
        return { name, text: mask(`not available: ${errorLine(error)}\n`) };
      }
    }),
  );
}

const json = (value: unknown): string => `${printableJson(value, 2)}\n`;

/** Secrets that are known here: of the settings, of the environment, and of the messages in the journal. */
async function knownSecrets(settings: Settings, env: GatherOptions['env']): Promise<string[]> {
  const found = new Set(secretsOf(settings));
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || shownVariables.test(name)) continue;
    if (/pass|secret|token|key|credential|auth|cookie/i.test(name)) found.add(value);
    // http_proxy, CELERY_BROKER_URL and the like
    const password = URL.canParse(value) ? new URL(value).password : '';
    if (password !== '') found.add(password).add(decode(password));
  }
  const journal = await readJournal(journalPath(settings.dirs.state)).catch(() => null);
  for (const { task } of journal?.runs.values() ?? []) {
    for (const value of Object.values(task.headers)) {
      if (typeof value === 'string' && value.length >= 16) found.add(value);
    }
  }
  return [...found];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function about(): object {
  return {
    version: programVersion(),
    node: process.versions.node,
    architecture: process.arch,
    kernel: release(),
    at: new Date(systemClock.now()).toISOString(),
  };
}

/** Values of harmless variables; of others only the names. */
function environmentOf(env: GatherOptions['env']): Record<string, string> {
  const secret = new Set(
    catalog.filter(({ info }) => info.secret === true).flatMap((setting) => setting.env),
  );
  return Object.fromEntries(
    Object.entries(env)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [
        name,
        shownVariables.test(name) && !secret.has(name) ? (value ?? '') : '(set)',
      ]),
  );
}

function settingsOf({ settings, origins }: LoadedSettings): object[] {
  return catalog.map((setting) => ({
    key: setting.key,
    value: maskedValue(
      setting,
      (settings as Record<string, Record<string, unknown>>)[setting.group]?.[setting.name],
    ),
    ...(origins[setting.key] ?? { source: 'default' }),
  }));
}

/** Runs without the names of slides and users, which can identify patients. */
async function runsOf(state: string): Promise<object> {
  const { runs, damagedLines } = await viewJournal(state, systemClock);
  return {
    damagedLines,
    runs: runs.map(({ title: _title, user: _user, progressMessage: _message, ...run }) => run),
  };
}

async function workerLog(
  { log, dirs }: Settings,
  profile: string,
  command: (file: string, args: readonly string[]) => Promise<string>,
): Promise<string> {
  if (log.file !== null) return tailOf(log.file);
  try {
    return await tailOf(join(dirs.state, 'worker.log'));
  } catch {
    return command('journalctl', [
      '--user',
      '-u',
      unitName(profile),
      '-n',
      '5000',
      '-o',
      'cat',
      '--no-pager',
    ]);
  }
}

/** The last lines of a file. */
async function tailOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - maxLogBytes);
    const buffer = Buffer.alloc(size - from);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    const text = buffer.toString('utf8', 0, bytesRead);
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await file.close();
  }
}
