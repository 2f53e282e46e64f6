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

/** The worker's own state: the journal must be quick, safe and nobody else's. Pure. */
export function judgeState(path: string, facts: StateFacts, profile: string): Finding {
  const findings = [
    ok(`${path} on ${facts.fileSystem?.type ?? 'an unknown file system'}, ${bytes(facts.free)} free`),
  ];
  if (!facts.writable) findings.push(fail(`${path} cannot be written.`, `chmod u+rwx ${quoted(path)}`));
  if ((facts.mode & 0o077) !== 0) {
    findings.push(
      warn(`Other users can look into ${path}, which holds tokens of runs.`, `chmod 700 ${quoted(path)}`),
    );
  }
  if (facts.fileSystem?.reach === 'shared') {
    findings.push(
      warn(
        `${path} lies on a network file system (${facts.fileSystem.type}): its journal waits for the network. Keep it there only for a standby worker (docs/standby.md).`,
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
      const parent = await firstThere(dirname(path));
      const may = await access(parent, constants.W_OK | constants.X_OK).then(
        () => true,
        () => false,
      );
      return may
        ? ok(`${path} is not there yet; the worker makes it`)
        : fail(
            `${path} is not there, and ${parent} cannot be written.`,
            `sudo install -d -m 700 -o "$USER" ${quoted(path)}`,
          );
    }
  },
  repairs: (_context, fact) => (typeof fact === 'string' ? [closeDirectory(fact)] : []),
};

/** The mode alone: where the directory is, only the operator can decide. */
const closeDirectory = (path: string): Repair => ({
  what: `chmod 700 ${quoted(path)}`,
  apply: async () => chmod(path, 0o700),
});

async function firstThere(path: string): Promise<string> {
  const there = await stat(path).then(
    () => true,
    () => false,
  );
  return there || path === '/' ? path : firstThere(dirname(path));
}
