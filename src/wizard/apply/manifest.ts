import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** SHA-256 of what init last wrote, in hex, by path: what differs from it was changed by hand. */
export type Manifest = Readonly<Record<string, string>>;

export function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** One that is missing or cannot be read is empty: then every file counts as changed by hand, and is asked about. */
export async function readManifest(path: string): Promise<Manifest> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return {};
  }
  if (typeof content !== 'object' || content === null) return {};
  return Object.fromEntries(
    Object.entries(content).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

export function manifestText(manifest: Manifest): string {
  const sorted = Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}
