import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const driver = fileURLToPath(new URL('hanging-directory.py', import.meta.url));

/**
 * From now on every call on a file in this directory hangs, as on a network file system whose server is down. Needs the
 * right to mount. Pending calls fail once the directory is released; later calls find the files again.
 * @returns a function that releases it; null if this user may not mount or FUSE is missing
 */
export async function hangDirectory(directory: string): Promise<(() => Promise<void>) | null> {
  const child = spawn('/usr/bin/python3', [driver, directory], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = once(child, 'close');
  const hangs = await Promise.race([
    once(child.stdout, 'data').then(() => true),
    ended.then(
      () => false,
      () => false,
    ),
  ]);
  if (!hangs) return null;
  return async () => {
    child.stdin.end();
    await ended;
  };
}
