import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Check } from '../../check.js';
import { combine, ok, quoted, warn } from '../../check-result.js';

/** Files that other users can read. */
async function openFiles(paths: readonly string[]): Promise<{ path: string; mode: number }[]> {
  const found = await Promise.all(
    paths.map(async (path) => {
      const there = await stat(path).catch(() => null);
      return there !== null && there.isFile() && (there.mode & 0o077) !== 0
        ? [{ path, mode: there.mode & 0o777 }]
        : [];
    }),
  );
  return found.flat();
}

/** Files below a directory; empty if it does not exist. */
async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .slice(0, maxFiles)
    .map(({ parentPath, name }) => join(parentPath, name));
}

/** The state directory may have many stored messages. */
const maxFiles = 5_000;

export const modes: Check = {
  id: 'configuration.modes',
  group: 'configuration',
  title: 'modes of files with secrets',
  async run({ configuration, settings }) {
    const paths = [
      ...(configuration === null ? [] : [configuration.path]),
      ...(await filesIn(settings.dirs.state)),
      ...(settings.log.file === null ? [] : [settings.log.file]),
    ];
    const readable = await openFiles(paths);
    return {
      ...combine([
        ok('profile, state directory and log are private'),
        ...readable.map(({ path, mode }) =>
          warn(`Other users can read ${path} (mode ${mode.toString(8)}).`, `chmod 600 ${quoted(path)}`),
        ),
      ]),
      fact: readable.map(({ path }) => path),
    };
  },
  repairs: (_context, fact) =>
    (fact as string[]).map((path) => ({
      what: `chmod 600 ${quoted(path)}`,
      apply: async () => closeFile(path),
    })),
};

/** Uses a handle and O_NOFOLLOW, so that a link cannot redirect the change. */
async function closeFile(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await file.chmod(0o600);
  } finally {
    await file.close();
  }
}
