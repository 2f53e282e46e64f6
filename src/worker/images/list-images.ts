import { join } from 'node:path';

import { isTruncated, readSifLength } from '../../apptainer/sif-header.js';
import { readdir, stat } from '../../base/files/network-fs.js';

/** A file in `dirs.images`. */
export interface ImageFile {
  file: string;
  bytes: number;
  /** Milliseconds since the epoch. */
  modifiedAt: number;
  /** `cut short`: a pull or a copy was interrupted. */
  state: 'complete' | 'cut short' | 'not a SIF' | 'unreadable';
}

/**
 * The images in a directory, by name. Does not start a container runtime.
 * @throws the system's error if the directory cannot be read
 */
export async function listImages(directory: string): Promise<ImageFile[]> {
  const names = (await readdir(directory)).map(({ name }) => name).filter(isImageFile);
  const files = await Promise.all(
    names.sort().map(async (file): Promise<ImageFile[]> => {
      const path = join(directory, file);
      const found = await stat(path).catch(() => null);
      if (found?.isFile() !== true) return [];
      const facts = { file, bytes: found.size, modifiedAt: found.mtimeMs };
      const length = await readSifLength(path).catch(() => null);
      if (length === null) return [{ ...facts, state: 'unreadable' }];
      if (length.expectedSize === null) return [{ ...facts, state: 'not a SIF' }];
      return [{ ...facts, state: isTruncated(length) ? 'cut short' : 'complete' }];
    }),
  );
  return files.flat();
}

/** Whether a file in `dirs.images` is an image by its name; pulls in progress begin with a dot. */
export function isImageFile(name: string): boolean {
  return /^[^./\0][^/\0]*\.sif$/.test(name);
}
