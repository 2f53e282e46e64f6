import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../../base/errors.js';
import { freeSpace, lookUpFileSystem } from '../../doctor/file-system.js';
import type { DirectoryFacts } from '../detect/site-probes.js';

/** Inspects a path or, if it does not exist, the directory in which it would be created. Never throws. */
export async function inspectDirectory(path: string): Promise<DirectoryFacts> {
  const state = await stateOf(path);
  const existing = state.kind === 'missing' ? state.above : path;
  const fileSystem = await lookUpFileSystem(existing);
  const free = await freeSpace(existing).catch(() => null);
  return { state, fileSystem, freeBytes: free?.bytes ?? null };
}

async function stateOf(path: string): Promise<DirectoryFacts['state']> {
  try {
    const { mode } = await stat(path).then((stats) => {
      if (!stats.isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
      return stats;
    });
    return {
      kind: 'directory',
      writable: await isWritable(path),
      // the sticky bit, as on /tmp, protects existing files, but lets others add new ones
      worldWritable: (mode & 0o002) !== 0,
    };
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'ENOTDIR') return { kind: 'other' };
    if (code !== 'ENOENT') return { kind: 'closed', why: code ?? 'unknown reason' };
    const above = await existingParent(path);
    return {
      kind: 'missing',
      above,
      why: (await isWritable(above)) ? null : `you cannot write to ${above}`,
    };
  }
}

async function existingParent(path: string): Promise<string> {
  for (let at = dirname(path); ; at = dirname(at)) {
    const isDirectory = await stat(at).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (isDirectory || at === dirname(at)) return at;
  }
}

async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}
