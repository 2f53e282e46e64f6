import { execFile } from 'node:child_process';
import { mkdtemp, rm, rmdir, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A real file system of a few megabytes, to fill up. */
export interface SmallDisk {
  dir: string;
  /** Leaves no byte free. */
  fill(): Promise<void>;
  free(): Promise<void>;
  close(): Promise<void>;
}

/** Mounts a tmpfs; null if this user may not mount. */
export async function openSmallDisk(size = '2m'): Promise<SmallDisk | null> {
  const dir = await mkdtemp(join(tmpdir(), 'dsa-slurm-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', dir]);
  } catch {
    await rmdir(dir);
    return null;
  }
  const filler = join(dir, 'filler');
  return {
    dir,
    async fill() {
      const { bavail, bsize } = await statfs(dir);
      await writeFile(filler, Buffer.alloc(bavail * bsize, 1), { flag: 'a' });
    },
    free: async () => rm(filler, { force: true }),
    async close() {
      await run('umount', ['--lazy', dir]);
      await rmdir(dir);
    },
  };
}
