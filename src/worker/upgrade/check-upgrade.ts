import { access, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { describeFailure, type RunCommand } from '../../base/command.js';
import { errorLine, systemCode } from '../../base/errors.js';
import { packageFile } from '../../base/package-file.js';
import { unitDirectory, unitName } from '../../config/index.js';
import { journalVersion } from '../run-state/journal-lines.js';
import type { ProcessIdentity } from '../run-state/process-identity.js';
import { journalPath, readJournal, readJournalVersion } from '../run-state/read-journal.js';
import type { Stage } from '../run-state/run.js';
import { readServiceStatus } from '../runs/service-status.js';
import { openConnection } from '../socket/open-connection.js';
import { compareVersions, parseChangelog, sectionsBetween, type ChangelogSection } from './changelog.js';

/** What `dsa-slurm upgrade --check` found. */
export interface UpgradeCheck {
  /** This program. */
  installed: { version: string; journalVersion: number };
  /** The worker of the profile. `version`: null if it does not tell. Null: none is running. */
  running: { version: string | null; pid: number; host: string; since: string } | null;
  journal: {
    path: string;
    /** Its format; null if there is no journal yet, or its first line is lost. */
    version: number | null;
    /** Runs that are not finished; null if this program cannot read them. */
    inFlight: Partial<Record<Stage, number>> | null;
    damagedLines: number;
  };
  restart: {
    /** The running worker is another version than this program. Null: unknown. */
    needed: boolean | null;
    /** This program can take over the journal and its runs. */
    safe: boolean;
    /** Why not, and what else to know. */
    notes: readonly string[];
  };
  /** What the changelog says between the running and the installed version, newest first. */
  changes: readonly ChangelogSection[];
  /** The newest version in the npm registry, if that was asked for. */
  published: { version: string | null; newer: boolean; problem: string | null } | null;
  /** Commands to run next, in order. */
  next: readonly string[];
}

export interface CheckUpgradeOptions {
  profile: string;
  stateDirectory: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Version of this program. */
  version: string;
  /** Asks the npm registry with this; null: does not ask. */
  registry: RunCommand | null;
}

/** Milliseconds that npm may take. */
const registryMs = 20_000;

/**
 * Compares the running worker, this program and the journal. Changes nothing, takes no lock, and uses the network only for
 * `registry`.
 * @throws DsaSlurmError `files` if the journal cannot be read for another reason than its format
 */
export async function checkUpgrade(options: CheckUpgradeOptions): Promise<UpgradeCheck> {
  const { stateDirectory, version, registry } = options;
  const [running, journal, changelog, published] = await Promise.all([
    findRunning(stateDirectory, version),
    lookAtJournal(journalPath(stateDirectory)),
    readFile(packageFile('CHANGELOG.md'), 'utf8'),
    registry === null ? null : askRegistry(registry, version),
  ]);
  const safe = journal.version === null || journal.version <= journalVersion;
  const runs = running?.version ?? null;
  // of a worker that does not tell, nobody knows
  const needed = running !== null && runs === null ? null : runs !== null && runs !== version;
  const check = {
    installed: { version, journalVersion },
    running,
    journal,
    restart: { needed, safe, notes: notesOn(running, journal, version) },
    changes: runs === null ? [] : sectionsBetween(parseChangelog(changelog), runs, version),
    published,
  };
  return { ...check, next: await nextCommands(check, options) };
}

async function findRunning(stateDirectory: string, version: string): Promise<UpgradeCheck['running']> {
  const { status, owner } = await readServiceStatus(stateDirectory).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return { status: null, owner: null };
    throw error;
  });
  if (owner === null) return null;
  const { pid, host, since }: Pick<ProcessIdentity, 'pid' | 'host' | 'since'> = owner;
  return { version: status?.version ?? (await askWorker(stateDirectory, version)), pid, host, since };
}

/** Version 0.1.0 does not write its version into its status, but names it when it refuses another one. */
async function askWorker(stateDirectory: string, version: string): Promise<string | null> {
  const answer = await openConnection({ stateDirectory, readOnly: true, patienceMs: 5_000 });
  if (answer.kind === 'welcome') {
    answer.connection.socket.destroy();
    return version;
  }
  return answer.kind === 'refused'
    ? (/dsa-slurm (\d+\.\d+\.\d+\S*)/.exec(answer.message)?.[1] ?? null)
    : null;
}

async function lookAtJournal(path: string): Promise<UpgradeCheck['journal']> {
  const version = await readJournalVersion(path);
  if (version !== null && version > journalVersion) return { path, version, inFlight: null, damagedLines: 0 };
  const { runs, damaged } = await readJournal(path);
  const inFlight: Partial<Record<Stage, number>> = {};
  for (const { stage } of runs.values()) {
    if (stage !== 'finished') inFlight[stage] = (inFlight[stage] ?? 0) + 1;
  }
  return { path, version, inFlight, damagedLines: damaged.length };
}

function notesOn(
  running: UpgradeCheck['running'],
  journal: UpgradeCheck['journal'],
  version: string,
): string[] {
  const notes: string[] = [];
  if (journal.version !== null && journal.version > journalVersion) {
    notes.push(
      `The journal has format ${journal.version}, and dsa-slurm ${version} reads up to ${journalVersion}: it would refuse to start. ` +
        'Let the newer version finish its runs first (docs/upgrade.md, "Roll back").',
    );
  } else if (journal.version !== null && journal.version < journalVersion) {
    notes.push(
      `The journal has format ${journal.version} and will be rewritten in format ${journalVersion}, which the older version refuses.`,
    );
  }
  if (journal.damagedLines > 0) {
    notes.push(
      `${journal.damagedLines} ${journal.damagedLines === 1 ? 'line' : 'lines'} of the journal cannot be read. A copy is kept when the worker starts (docs/state.md).`,
    );
  }
  if (running !== null && running.version === null) {
    notes.push(
      `The version of worker ${running.pid} on ${running.host} is unknown. Run this command on that host, or start the worker again there.`,
    );
  } else if (running !== null && compareVersions(running.version ?? version, version) > 0) {
    notes.push(`This would be a step back from ${running.version} to ${version}.`);
  }
  return notes;
}

const unknown = (problem: string): UpgradeCheck['published'] => ({ version: null, newer: false, problem });

/** Asks with npm, which knows the operator's registry, proxy and certificates. */
async function askRegistry(run: RunCommand, version: string): Promise<UpgradeCheck['published']> {
  const answer = await run('npm', ['view', 'dsa-slurm', 'version', '--json'], { timeoutMs: registryMs });
  if (answer.kind !== 'exited') return unknown(describeFailure(answer));
  if (answer.exitCode !== 0) {
    return unknown(
      /\bE404\b/.test(answer.stdout + answer.stderr)
        ? 'it has no package dsa-slurm'
        : describeFailure(answer),
    );
  }
  try {
    const found: unknown = JSON.parse(answer.stdout);
    if (typeof found !== 'string') return unknown('npm printed no version');
    return { version: found, newer: compareVersions(found, version) > 0, problem: null };
  } catch (error) {
    return unknown(errorLine(error));
  }
}

async function nextCommands(
  { running, restart, published }: Omit<UpgradeCheck, 'next'>,
  { profile, env }: CheckUpgradeOptions,
): Promise<string[]> {
  const program = profile === 'default' ? 'dsa-slurm' : `dsa-slurm --profile ${profile}`;
  const install = published?.newer === true ? ['npm install --global dsa-slurm'] : [];
  if (!restart.safe || running === null || restart.needed === false) return install;
  const isHere = running.host === hostname();
  const own = unitName(profile);
  const systemUnits = '/etc/systemd/system';
  const commands = (await isThere(join(unitDirectory(env), own)))
    ? [`systemctl --user restart ${own}`]
    : (await isThere(join(systemUnits, own)))
      ? [`sudo systemctl restart ${own}`]
      : (await isThere(join(systemUnits, 'dsa-slurm@.service')))
        ? [`sudo systemctl restart dsa-slurm@${profile}.service`]
        : [`kill -TERM ${running.pid}`, `${program} worker`];
  return [...(isHere ? [] : [`ssh ${running.host}`]), ...commands, `${program} doctor`];
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
