import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Such files have a few thousand bytes. */
const maxBytes = 256 * 1024;

/** Reads a text file of an existing site; null if it does not exist, is not a regular file, or is too large. */
export async function readSiteFile(path: string): Promise<string | null> {
  try {
    // O_NONBLOCK, because opening a named pipe waits for a writer
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile() || stats.size > maxBytes) return null;
      const text = await handle.readFile('utf8');
      // binary files are ignored
      return text.includes('\0') ? null : text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}
