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

/** Network file systems. */
const sharedTypes =
  /^(nfs\d?|lustre|gpfs|beegfs|ceph|cifs|smb\d?|smbfs|glusterfs|fuse\.(glusterfs|sshfs|ceph|cvmfs2|moosefs)|afs|panfs|wekafs|vast|orangefs|pvfs2|9p|virtiofs|gfs2|ocfs2)$/;

/** Local file systems: other hosts see them only if this one exports them. */
const localTypes = /^(ext[234]|xfs|btrfs|zfs|tmpfs|ramfs|overlay|squashfs|vfat|f2fs|jfs|reiserfs|devtmpfs)$/;

/** Finds the mount of an absolute path in the text of `/proc/self/mountinfo` (proc(5)); of equal mount points the last counts. */
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

/** The file system of an existing directory; null if it cannot be determined. */
export async function lookUpFileSystem(path: string): Promise<FileSystem | null> {
  try {
    return fileSystemOf(await realpath(path), await readFile('/proc/self/mountinfo', 'utf8'));
  } catch {
    return null;
  }
}

/** Free space for this user. `inodes` is null if the file system does not count them. */
export async function freeSpace(path: string): Promise<{ bytes: number; inodes: number | null }> {
  const { bavail, bsize, ffree, files } = await statfs(path);
  return { bytes: bavail * bsize, inodes: files > 0 ? ffree : null };
}

function reachOf(type: string): FileSystem['reach'] {
  if (sharedTypes.test(type)) return 'shared';
  return localTypes.test(type) ? 'local' : 'unknown';
}

/** Spaces, tabs, newlines and backslashes are escaped as octal codes such as `\040`. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, code: string) =>
    String.fromCodePoint(Number.parseInt(code, 8)),
  );
}
