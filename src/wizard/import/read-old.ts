import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Bytes. Files of this kind have a few thousand. */
const longest = 256 * 1024;

/** The text of a file of an old site; null if there is none, or it is no plain file, or is far too long. */
export async function readOld(path: string): Promise<string | null> {
  try {
    // a named pipe would keep us waiting for somebody to write to it
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile() || stats.size > longest) return null;
      const text = await handle.readFile('utf8');
      // what is not text is nothing that we could read
      return text.includes('\0') ? null : text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}
