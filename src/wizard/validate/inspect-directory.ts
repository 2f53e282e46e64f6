import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../../base/errors.js';
import { freeSpace, lookUpFileSystem } from '../../doctor/file-system.js';
import type { DirectoryFacts } from '../detect/site-probes.js';

/** Looks at a path and, where it is not there yet, at where it would be made. Changes nothing. Never throws. */
export async function lookAtDirectory(path: string): Promise<DirectoryFacts> {
  const state = await stateOf(path);
  const there = state.kind === 'missing' ? state.above : path;
  const fileSystem = await lookUpFileSystem(there);
  const free = await freeSpace(there).catch(() => null);
  return { state, fileSystem, freeBytes: free?.bytes ?? null };
}

async function stateOf(path: string): Promise<DirectoryFacts['state']> {
  try {
    const { mode } = await stat(path).then((stats) => {
      if (!stats.isDirectory()) throw Object.assign(new Error('no directory'), { code: 'ENOTDIR' });
      return stats;
    });
    return {
      kind: 'directory',
      writable: await isWritable(path),
      // the sticky bit, as on /tmp, keeps others from what is inside, not from adding to it
      worldWritable: (mode & 0o002) !== 0,
    };
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'ENOTDIR') return { kind: 'other' };
    if (code !== 'ENOENT') return { kind: 'closed', why: code ?? 'unknown reason' };
    const above = await nearest(path);
    return {
      kind: 'missing',
      above,
      why: (await isWritable(above)) ? null : `${above} is not yours to write`,
    };
  }
}

async function nearest(path: string): Promise<string> {
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
