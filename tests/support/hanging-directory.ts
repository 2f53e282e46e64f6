import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const driver = fileURLToPath(new URL('hanging-directory.py', import.meta.url));

/**
 * From now on every call on a file in this directory waits, as on a network file system whose server is away. Needs the
 * right to mount. What waits fails once the directory is let go, and what comes after finds its files again.
 * @returns the way to let go; null where this user may not mount or there is no FUSE
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
