import { access, constants, stat } from 'node:fs/promises';
import { systemCode } from '../../../base/errors.js';
import { makeDirectory } from '../../../base/make-directory.js';
import type { Check, CheckContext, Finding } from '../../check.js';
import { freeSpace, lookUpFileSystem, type FileSystem } from '../../file-system.js';
import { bytes, combine, configSet, fail, ok, quoted, warn } from '../../check-result.js';

/** What is asked of one of the directories of runs, which login and compute nodes share where Slurm runs the jobs. */
export interface Wanted {
  key: 'dirs.tmp' | 'dirs.logs' | 'dirs.images';
  title: string;
  /** The Python worker's name of it. */
  legacyName: string;
  /** Other users write here (Girder pulls images), so reading is enough. */
  readOnly?: true;
  /** Below the first it warns, below the second it fails. */
  room: { warn: number; fail: number };
}

const GB = 1e9;
const MB = 1e6;

/** What stat, statfs and the mount table say of a directory. */
export interface DirectoryFacts {
  mode: number;
  writable: boolean;
  readable: boolean;
  space: { bytes: number; inodes: number | null };
  fileSystem: FileSystem | null;
}

/** What of a check's context a directory is judged by. */
type DirectoryContext = Pick<CheckContext, 'profile' | 'deep'> & {
  settings: { worker: Pick<CheckContext['settings']['worker'], 'executor'> };
};

/** A directory to name in a fix. */
function example({ settings }: DirectoryContext, name: string): string {
  return settings.worker.executor === 'local' ? `/var/lib/dsa/${name}` : `/shared/${name}`;
}

/** Judges a directory that exists. Pure. */
export function judgeDirectory(
  path: string,
  facts: DirectoryFacts,
  wanted: Wanted,
  context: DirectoryContext,
): Finding {
  const { profile, deep, settings } = context;
  const { key, room, readOnly } = wanted;
  const { mode, space, fileSystem } = facts;
  const permissions = (mode & 0o7777).toString(8).padStart(4, '0');
  const findings: Finding[] = [
    ok(
      `${path}: mode ${permissions}, ${bytes(space.bytes)} free, ${fileSystem?.type ?? 'unknown'} file system`,
    ),
    ...judgePath(path, wanted, context).filter(({ status }) => status !== 'ok'),
  ];
  const may = facts.readable && (readOnly === true || facts.writable);
  if (!may) {
    const what = facts.readable ? 'written to' : 'read';
    findings.push(
      fail(
        `${path} cannot be ${what} by this user.`,
        `chmod u+rwx ${quoted(path)}   # or choose another: ${configSet(profile, key, example(context, 'directory'))}`,
      ),
    );
  }
  if ((mode & 0o002) !== 0) {
    const isSafe = (mode & 0o1000) !== 0 && key !== 'dirs.images';
    const what = isSafe && key === 'dirs.logs' ? '; the worker uses a directory of its own in it' : '';
    findings.push(
      warn(
        `Every user of this machine may write to ${path}${what}.`,
        isSafe
          ? configSet(profile, key, example(context, key.slice('dirs.'.length)))
          : `chmod o-w ${quoted(path)}`,
      ),
    );
  }
  if (space.bytes < room.warn) {
    const judge = space.bytes < room.fail ? fail : warn;
    findings.push(judge(`Only ${bytes(space.bytes)} are free in ${path}.`, `df -h ${quoted(path)}`));
  }
  if (space.inodes !== null && space.inodes < 10_000) {
    const judge = space.inodes < 100 ? fail : warn;
    findings.push(judge(`Only ${space.inodes} more files fit into ${path}.`, `df -i ${quoted(path)}`));
  }
  // a deep run sees for itself
  if (fileSystem?.reach === 'local' && !deep && settings.worker.executor === 'slurm') {
    findings.push(
      warn(
        `${path} lies on this machine's own ${fileSystem.type} (${fileSystem.mountPoint}), which compute nodes see only if it is exported to them.`,
        `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} doctor --deep --only directories.probe`,
      ),
    );
  }
  return combine(findings);
}

/** Characters that Apptainer's binds, Slurm's file name patterns or a batch script would take for something else. */
export function judgePath(path: string, { key }: Pick<Wanted, 'key'>, context: DirectoryContext): Finding[] {
  const wrong = [...new Set(path.match(/[,:"'\\%;\p{Cc}]/gu) ?? [])].map((letter) => JSON.stringify(letter));
  const fix = configSet(context.profile, key, example(context, 'directory'));
  if (wrong.length > 0) {
    return [
      fail(
        `The path ${JSON.stringify(path)} holds ${wrong.join(' and ')}, which breaks binds of containers.`,
        fix,
      ),
    ];
  }
  if (/\s/.test(path))
    return [warn(`The path "${path}" holds a blank, which not every analysis can stand.`, fix)];
  return [ok(path)];
}

async function gather(path: string): Promise<DirectoryFacts | Finding> {
  const found = await stat(path);
  if (!found.isDirectory()) return fail(`${path} is no directory.`, `ls -ld ${quoted(path)}`);
  const may = async (mode: number) =>
    access(path, mode).then(
      () => true,
      () => false,
    );
  return {
    mode: found.mode,
    readable: await may(constants.R_OK | constants.X_OK),
    writable: await may(constants.W_OK | constants.X_OK),
    space: await freeSpace(path),
    fileSystem: await lookUpFileSystem(path),
  };
}

async function look(
  path: string | null,
  wanted: Wanted,
  context: CheckContext,
): Promise<Finding & { fact?: unknown }> {
  const { profile } = context;
  if (path === null) {
    return fail(
      `${wanted.key} (${wanted.legacyName}) is not set.`,
      configSet(profile, wanted.key, example(context, wanted.key.slice('dirs.'.length))),
    );
  }
  try {
    const facts = await gather(path);
    return 'status' in facts ? facts : judgeDirectory(path, facts, wanted, context);
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'ENOENT') {
      const wrongPath = judgePath(path, wanted, context).filter(({ status }) => status !== 'ok');
      // a path that cannot be used is not to be made
      if (wrongPath.length > 0) return combine(wrongPath);
      return {
        ...fail(`${path} does not exist.`, `mkdir -p -m 0770 ${quoted(path)}`),
        fact: { missing: path },
      };
    }
    return fail(`${path} cannot be looked at (${code ?? 'unknown reason'}).`, `ls -ld ${quoted(path)}`);
  }
}

function directoryCheck(id: string, wanted: Wanted): Check {
  return {
    id,
    group: 'directories',
    title: wanted.title,
    run: async (context) => {
      const name = wanted.key.slice('dirs.'.length) as 'tmp' | 'logs' | 'images';
      return look(context.settings.dirs[name], wanted, context);
    },
    repairs(_context, fact) {
      const path = (fact as { missing?: string } | undefined)?.missing;
      if (path === undefined) return [];
      return [
        {
          what: `mkdir -p -m 0770 ${quoted(path)}`,
          apply: async () => void (await makeDirectory(path, 0o770)),
        },
      ];
    },
  };
}

const tmpWanted: Wanted = {
  key: 'dirs.tmp',
  title: 'directory for inputs and temporary volumes',
  legacyName: 'TMP',
  room: { warn: 20 * GB, fail: 200 * MB },
};
const logsWanted: Wanted = {
  key: 'dirs.logs',
  title: 'directory for the logs of jobs',
  legacyName: 'LOGS',
  room: { warn: GB, fail: 20 * MB },
};
const imagesWanted: Wanted = {
  key: 'dirs.images',
  title: 'directory of images',
  legacyName: 'SIF_IMAGE_PATH',
  readOnly: true,
  room: { warn: 5 * GB, fail: 0 },
};

export const tmpDirectory = directoryCheck('directories.tmp', tmpWanted);
export const logsDirectory = directoryCheck('directories.logs', logsWanted);
export const imagesDirectory = directoryCheck('directories.images', imagesWanted);
