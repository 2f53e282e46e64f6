import { readFile, realpath, statfs } from 'node:fs/promises';

/** The file system that a path lies on. */
export interface FileSystem {
  /** `nfs4`, `ext4`, … as the kernel calls it. */
  type: string;
  /** Where it is mounted, and what. */
  mountPoint: string;
  source: string;
  reach: 'shared' | 'local' | 'unknown';
}

/** Types that other machines see too, if they mount the same. */
const sharedTypes =
  /^(nfs\d?|lustre|gpfs|beegfs|ceph|cifs|smb\d?|smbfs|glusterfs|fuse\.(glusterfs|sshfs|ceph|cvmfs2|moosefs)|afs|panfs|wekafs|vast|orangefs|pvfs2|9p|virtiofs|gfs2|ocfs2)$/;

/** Types that no other machine can see, or only through an export of this one. */
const localTypes = /^(ext[234]|xfs|btrfs|zfs|tmpfs|ramfs|overlay|squashfs|vfat|f2fs|jfs|reiserfs|devtmpfs)$/;

/** Finds the mount of an absolute path in the text of `/proc/self/mountinfo` (proc(5)); the last of equal ones counts. */
export function fileSystemOf(path: string, mountinfo: string): FileSystem | null {
  let best: FileSystem | null = null;
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-');
    const [mountPoint, type, source] = [fields[4], fields[dash + 1], fields[dash + 2]];
    if (dash < 0 || mountPoint === undefined || type === undefined) continue;
    const point = unescape(mountPoint);
    const inside = point === '/' || path === point || path.startsWith(`${point}/`);
    if (!inside || (best !== null && point.length < best.mountPoint.length)) continue;
    best = { type, mountPoint: point, source: unescape(source ?? ''), reach: reachOf(type) };
  }
  return best;
}

/** The file system of a directory that exists; null where the system does not tell. */
export async function lookUpFileSystem(path: string): Promise<FileSystem | null> {
  try {
    return fileSystemOf(await realpath(path), await readFile('/proc/self/mountinfo', 'utf8'));
  } catch {
    return null;
  }
}

/** Free room for this user. Null where the file system does not count. */
export async function freeSpace(path: string): Promise<{ bytes: number; inodes: number | null }> {
  const { bavail, bsize, ffree, files } = await statfs(path);
  return { bytes: bavail * bsize, inodes: files > 0 ? ffree : null };
}

function reachOf(type: string): FileSystem['reach'] {
  if (sharedTypes.test(type)) return 'shared';
  return localTypes.test(type) ? 'local' : 'unknown';
}

/** Blanks, tabs, newlines and backslashes are written as `\040` and the like. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, code: string) =>
    String.fromCodePoint(Number.parseInt(code, 8)),
  );
}
