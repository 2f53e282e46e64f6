import { access, chmod, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../../../base/errors.js';
import type { Check, Finding, Repair } from '../../check.js';
import { freeSpace, lookUpFileSystem, type FileSystem } from '../../file-system.js';
import { bytes, combine, configSet, fail, ok, quoted, warn } from '../../check-result.js';

export interface StateFacts {
  mode: number;
  writable: boolean;
  free: number;
  fileSystem: FileSystem | null;
}

/** Judges the state directory: the journal needs fast, safe and private storage. */
export function judgeState(path: string, facts: StateFacts, profile: string): Finding {
  const findings = [
    ok(`${path} on ${facts.fileSystem?.type ?? 'an unknown file system'}, ${bytes(facts.free)} free`),
  ];
  if (!facts.writable) findings.push(fail(`${path} is not writable.`, `chmod u+rwx ${quoted(path)}`));
  if ((facts.mode & 0o077) !== 0) {
    findings.push(
      warn(`Other users can access ${path}, which contains tokens of runs.`, `chmod 700 ${quoted(path)}`),
    );
  }
  if (facts.fileSystem?.reach === 'shared') {
    findings.push(
      warn(
        `${path} is on a network file system (${facts.fileSystem.type}), which slows the journal down. Keep it there only for a standby worker (docs/standby.md).`,
        configSet(profile, 'dirs.state', `/var/lib/dsa-slurm/${profile}`),
      ),
    );
  }
  if (facts.free < 100e6) {
    const judge = facts.free < 5e6 ? fail : warn;
    findings.push(judge(`Only ${bytes(facts.free)} are free in ${path}.`, `df -h ${quoted(path)}`));
  }
  return combine(findings);
}

export const stateDirectory: Check = {
  id: 'host.state-directory',
  group: 'host',
  title: 'state directory',
  async run({ settings, profile }) {
    const path = settings.dirs.state;
    try {
      const { mode } = await stat(path);
      const writable = await access(path, constants.W_OK | constants.X_OK).then(
        () => true,
        () => false,
      );
      const facts = {
        mode,
        writable,
        free: (await freeSpace(path)).bytes,
        fileSystem: await lookUpFileSystem(path),
      };
      return { ...judgeState(path, facts, profile), fact: (mode & 0o077) === 0 ? null : path };
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown;
      const parent = await firstExisting(dirname(path));
      const may = await access(parent, constants.W_OK | constants.X_OK).then(
        () => true,
        () => false,
      );
      return may
        ? ok(`${path} does not exist yet; the worker creates it`)
        : fail(
            `${path} does not exist, and ${parent} is not writable.`,
            `sudo install -d -m 700 -o "$USER" ${quoted(path)}`,
          );
    }
  },
  repairs: (_context, fact) => (typeof fact === 'string' ? [closeDirectory(fact)] : []),
};

/** Fixes only the mode: the operator decides about the location. */
const closeDirectory = (path: string): Repair => ({
  what: `chmod 700 ${quoted(path)}`,
  apply: async () => chmod(path, 0o700),
});

async function firstExisting(path: string): Promise<string> {
  const there = await stat(path).then(
    () => true,
    () => false,
  );
  return there || path === '/' ? path : firstExisting(dirname(path));
}
