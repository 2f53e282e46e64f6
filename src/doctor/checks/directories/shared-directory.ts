import { access, constants, stat } from 'node:fs/promises';
import { systemCode } from '../../../base/errors.js';
import { makeDirectory } from '../../../base/files/make-directory.js';
import type { Check, CheckContext, Finding } from '../../check.js';
import { freeSpace, lookUpFileSystem, type FileSystem } from '../../file-system.js';
import { proofOfDirectory, readProbeRecord } from '../../probe/probe-record.js';
import { bytes, combine, configSet, fail, ok, quoted, warn } from '../../check-result.js';

/** Requirements of a directory of runs. With Slurm, login and compute nodes share it. */
export interface Requirements {
  key: 'dirs.tmp' | 'dirs.logs' | 'dirs.images';
  title: string;
  /** Its name in the Python worker. */
  legacyName: string;
  /** Reading is enough: other users write here (Girder pulls images). */
  readOnly?: true;
  /** Thresholds for the free space, in bytes. */
  room: { warn: number; fail: number };
}

const GB = 1e9;
const MB = 1e6;

/** Facts from stat, statfs and the mount table. */
export interface DirectoryFacts {
  mode: number;
  writable: boolean;
  readable: boolean;
  space: { bytes: number; inodes: number | null };
  fileSystem: FileSystem | null;
  /** Compute nodes that were seen to use it, and when; null if none. */
  provedBy: string | null;
}

/** The parts of a check's context that matter for directories. */
type DirectoryContext = Pick<CheckContext, 'profile' | 'deep'> & {
  settings: { worker: Pick<CheckContext['settings']['worker'], 'executor'> };
};

/** An example path for a fix. */
function example({ settings }: DirectoryContext, name: string): string {
  return settings.worker.executor === 'local' ? `/var/lib/dsa/${name}` : `/shared/${name}`;
}

/** Judges an existing directory. */
export function judgeDirectory(
  path: string,
  facts: DirectoryFacts,
  wanted: Requirements,
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
    const what = facts.readable ? 'write to' : 'read';
    findings.push(
      fail(
        `This user cannot ${what} ${path}.`,
        `chmod u+rwx ${quoted(path)}   # or choose another: ${configSet(profile, key, example(context, 'directory'))}`,
      ),
    );
  }
  if ((mode & 0o002) !== 0) {
    const isSafe = (mode & 0o1000) !== 0 && key !== 'dirs.images';
    const what = isSafe && key === 'dirs.logs' ? '; the worker uses its own subdirectory' : '';
    findings.push(
      warn(
        `All users can write to ${path}${what}.`,
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
    findings.push(judge(`Only ${space.inodes} inodes are free in ${path}.`, `df -i ${quoted(path)}`));
  }
  // with --deep, directories.probe tests it
  const isWithSlurm = settings.worker.executor === 'slurm';
  if (isWithSlurm && facts.provedBy !== null) findings.push(ok(`${path}: used by ${facts.provedBy}`));
  else if (isWithSlurm && fileSystem?.reach === 'local' && !deep) {
    findings.push(
      warn(
        `${path} is on a local file system (${fileSystem.type}, ${fileSystem.mountPoint}): compute nodes see it only if it is exported to them.`,
        `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} doctor --deep --only directories.probe`,
      ),
    );
  }
  return combine(findings);
}

/** Finds characters that are special in Apptainer's binds, Slurm's file name patterns or batch scripts. */
export function judgePath(
  path: string,
  { key }: Pick<Requirements, 'key'>,
  context: DirectoryContext,
): Finding[] {
  const wrong = [...new Set(path.match(/[,:"'\\%;\p{Cc}]/gu) ?? [])].map((letter) => JSON.stringify(letter));
  const fix = configSet(context.profile, key, example(context, 'directory'));
  if (wrong.length > 0) {
    return [
      fail(
        `The path ${JSON.stringify(path)} contains ${wrong.join(' and ')}, which breaks container binds.`,
        fix,
      ),
    ];
  }
  if (/\s/.test(path))
    return [warn(`The path "${path}" contains a space, which some analyses do not support.`, fix)];
  return [ok(path)];
}

async function gather(path: string, stateDirectory: string): Promise<DirectoryFacts | Finding> {
  const found = await stat(path);
  if (!found.isDirectory()) return fail(`${path} is not a directory.`, `ls -ld ${quoted(path)}`);
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
    provedBy: await proofOfDirectory(path, await readProbeRecord(stateDirectory)),
  };
}

async function examine(
  path: string | null,
  wanted: Requirements,
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
    const facts = await gather(path, context.settings.dirs.state);
    return 'status' in facts ? facts : judgeDirectory(path, facts, wanted, context);
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'ENOENT') {
      const wrongPath = judgePath(path, wanted, context).filter(({ status }) => status !== 'ok');
      // do not suggest creating an unusable path
      if (wrongPath.length > 0) return combine(wrongPath);
      return {
        ...fail(`${path} does not exist.`, `mkdir -p -m 0770 ${quoted(path)}`),
        fact: { missing: path },
      };
    }
    return fail(`${path} cannot be examined (${code ?? 'unknown error'}).`, `ls -ld ${quoted(path)}`);
  }
}

function directoryCheck(id: string, wanted: Requirements): Check {
  return {
    id,
    group: 'directories',
    title: wanted.title,
    run: async (context) => {
      const name = wanted.key.slice('dirs.'.length) as 'tmp' | 'logs' | 'images';
      return examine(context.settings.dirs[name], wanted, context);
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

const tmpRequirements: Requirements = {
  key: 'dirs.tmp',
  title: 'directory for inputs and temporary volumes',
  legacyName: 'TMP',
  room: { warn: 20 * GB, fail: 200 * MB },
};
const logsRequirements: Requirements = {
  key: 'dirs.logs',
  title: 'directory for job logs',
  legacyName: 'LOGS',
  room: { warn: GB, fail: 20 * MB },
};
const imagesRequirements: Requirements = {
  key: 'dirs.images',
  title: 'image directory',
  legacyName: 'SIF_IMAGE_PATH',
  readOnly: true,
  room: { warn: 5 * GB, fail: 0 },
};

export const tmpDirectory = directoryCheck('directories.tmp', tmpRequirements);
export const logsDirectory = directoryCheck('directories.logs', logsRequirements);
export const imagesDirectory = directoryCheck('directories.images', imagesRequirements);
