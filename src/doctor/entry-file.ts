import { basename, posix } from 'node:path';
import type { ImageFacts } from '../apptainer/inspect.js';
import type { Settings } from '../config/index.js';

/** The program or script that an image starts, as an absolute path in the image. */
export interface EntryFile {
  file: string;
  /** A program is executed, the script of an interpreter is read. */
  use: 'execute' | 'read';
}

const interpreters = /^((ba|da|z)?sh|python[\d.]*|node|perl|Rscript)$/;

/**
 * The file that an entry point needs; null if it is looked up in the image's PATH, and for an image without an entry point
 * or a working directory.
 */
export function entryFileOf(
  { entrypoint, workingDirectory }: Pick<ImageFacts, 'entrypoint' | 'workingDirectory'>,
  settings: Pick<Settings['apptainer'], 'entrypoint' | 'workingDirectory'>,
): EntryFile | null {
  const words = entrypoint ?? (settings.entrypoint === null ? [] : [settings.entrypoint]);
  const directory = workingDirectory ?? settings.workingDirectory;
  const [program = '', script = ''] = words;
  if (directory === null) return null;
  if (interpreters.test(basename(program)) && script !== '' && !script.startsWith('-')) {
    return { file: posix.resolve('/', directory, script), use: 'read' };
  }
  return program.includes('/') ? { file: posix.resolve('/', directory, program), use: 'execute' } : null;
}
