import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** SHA-256 (hex) of the content that init last wrote, by path. Files that differ from it were edited. */
type Manifest = Readonly<Record<string, string>>;

export function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Reads the manifest. If it is missing or unreadable, it is empty, so that every file counts as edited. */
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
