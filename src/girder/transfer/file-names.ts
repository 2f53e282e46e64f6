import { createHash } from 'node:crypto';

/** Maximum length of a file name on common file systems, in bytes. */
const maxNameBytes = 255;

/**
 * Converts a name from Girder to one path component that cannot leave its directory. Slashes, leading backslashes and control
 * characters become `_`, as in Girder's own client; spaces and letters of any script are kept. A name that is too long keeps
 * its extension and gets a hash, so that long names stay distinct.
 */
export function safeName(name: string): string {
  const clean = name
    .toWellFormed()
    .replaceAll(/[/\p{Cc}]/gu, '_')
    .replace(/^\\+/, (slashes) => '_'.repeat(slashes.length));
  if (clean === '') return '_';
  if (clean === '.' || clean === '..') return `_${clean}`;
  return byteLength(clean) <= maxNameBytes ? clean : shortened(clean);
}

/** `name`, or a variation that is not in `taken`. Adds the result to `taken`. */
export function uniqueName(taken: Set<string>, name: string): string {
  const { stem, extension } = split(name);
  let unique = safeName(name);
  for (let n = 2; taken.has(unique); n += 1) unique = safeName(`${stem} (${n})${extension}`);
  taken.add(unique);
  return unique;
}

/**
 * The normalized path of an output name relative to its volume; `.` is the volume itself. Used for arguments and outputs, so
 * that both refer to the same file. Null if the path would leave the volume or is invalid.
 */
export function pathInVolume(filename: string): string | null {
  if (filename.includes('\0') || filename.startsWith('/')) return null;
  const parts: string[] = [];
  for (const part of filename.toWellFormed().split('/')) {
    if (part === '' || part === '.') continue;
    if (byteLength(part) > maxNameBytes) return null;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.length === 0 ? '.' : parts.join('/');
}

function shortened(name: string): string {
  const { stem, extension } = split(name);
  const end = `-${createHash('sha256').update(name).digest('hex').slice(0, 12)}${extension}`;
  let front = '';
  let room = maxNameBytes - byteLength(end);
  for (const character of stem) {
    room -= byteLength(character);
    if (room < 0) break;
    front += character;
  }
  return front + end;
}

/** `slide.ome.tiff` is split into `slide` and `.ome.tiff`, because image readers use both extensions. */
function split(name: string): { stem: string; extension: string } {
  const extension = /(?<=.)(?:\.[A-Za-z0-9]{1,12}){1,2}$/su.exec(name)?.[0] ?? '';
  return { stem: name.slice(0, name.length - extension.length), extension };
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
