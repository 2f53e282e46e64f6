import { createHash } from 'node:crypto';

/** What common file systems allow for one name, in bytes. */
const longestName = 255;

/**
 * A name from Girder as one path component that cannot leave its directory. Spaces and letters of any script stay as they are;
 * slashes, leading backslashes and control characters become `_`, as with Girder's own client. A name that is too
 * long keeps its extension and gets a hash, so that two long names stay two.
 */
export function safeName(name: string): string {
  const clean = name
    .toWellFormed()
    .replaceAll(/[/\p{Cc}]/gu, '_')
    .replace(/^\\+/, (slashes) => '_'.repeat(slashes.length));
  if (clean === '') return '_';
  if (clean === '.' || clean === '..') return `_${clean}`;
  return byteLength(clean) <= longestName ? clean : shortened(clean);
}

/** `name`, or a variation of it that is not in `taken` yet; `taken` then holds it. */
export function uniqueName(taken: Set<string>, name: string): string {
  const { stem, extension } = split(name);
  let unique = safeName(name);
  for (let n = 2; taken.has(unique); n += 1) unique = safeName(`${stem} (${n})${extension}`);
  taken.add(unique);
  return unique;
}

/**
 * The path below a volume that a container's output name means: normalised, without a leading slash; `.` is the volume itself.
 * Used for arguments and for outputs alike, so both mean the same file. Null if it would leave the volume
 * or cannot be a path.
 */
export function pathInVolume(filename: string): string | null {
  if (filename.includes('\0') || filename.startsWith('/')) return null;
  const parts: string[] = [];
  for (const part of filename.toWellFormed().split('/')) {
    if (part === '' || part === '.') continue;
    if (byteLength(part) > longestName) return null;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.length === 0 ? '.' : parts.join('/');
}

function shortened(name: string): string {
  const { stem, extension } = split(name);
  const end = `-${createHash('sha256').update(name).digest('hex').slice(0, 12)}${extension}`;
  let front = '';
  let room = longestName - byteLength(end);
  for (const character of stem) {
    room -= byteLength(character);
    if (room < 0) break;
    front += character;
  }
  return front + end;
}

/** `slide.ome.tiff` is `slide` and `.ome.tiff`: readers of images look at both. */
function split(name: string): { stem: string; extension: string } {
  const extension = /(?<=.)(?:\.[A-Za-z0-9]{1,12}){1,2}$/su.exec(name)?.[0] ?? '';
  return { stem: name.slice(0, name.length - extension.length), extension };
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
