import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Shared {
  users: number;
  remove(): void;
}

/** Vitest runs a global setup once per project, always in its main process, which all projects share. */
const shared = globalThis as { [key: symbol]: Shared | undefined };
const slot = Symbol.for('dsa-slurm.temporary-root');

/**
 * A global setup: everything that tests put into the folder for temporary files goes into one directory, which is removed
 * after the last of them. It has the mode of /tmp, because services and other users write there too, and a short name, because
 * the path of a socket may have 107 bytes.
 */
export default function setup(): () => void {
  const root = (shared[slot] ??= createRoot());
  root.users += 1;
  return () => {
    root.users -= 1;
    if (root.users > 0) return;
    delete shared[slot];
    root.remove();
  };
}

function createRoot(): Shared {
  const before = process.env['TMPDIR'];
  const dir = mkdtempSync(join(tmpdir(), 'dsa-'));
  chmodSync(dir, 0o1777);
  process.env['TMPDIR'] = dir;
  // however this process exits
  const atExit = () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', atExit);
  return {
    users: 0,
    remove() {
      process.off('exit', atExit);
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
      atExit();
    },
  };
}
