import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

/** When a log file is replaced. */
export interface LogRotation {
  /** Size at which a new file is begun, in bytes. */
  maxBytes: number;
  /** Number of old files that are kept: `worker.log.1` is the newest. */
  keep: number;
}

/**
 * Opens a file for lines, each written synchronously. A file that is full is renamed to `<path>.1`, an older one to `<path>.2`, and
 * so on. A line that cannot be written (a full disk) is lost: a log must not end the program.
 * @throws Error if the file cannot be opened at first
 */
export function openRotatingFile(
  path: string,
  { maxBytes, keep }: LogRotation,
): { write: (line: string) => void } {
  const open = (): number => openSync(path, 'a', 0o600);
  let file = open();
  let bytes = fstatSync(file).size;

  function rotate(): void {
    for (let number = keep; number > 0; number -= 1) {
      try {
        renameSync(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`);
      } catch {
        // there are fewer files yet
      }
    }
    const next = open();
    closeSync(file);
    file = next;
    bytes = fstatSync(file).size;
  }

  return {
    write(line) {
      try {
        const size = Buffer.byteLength(line);
        if (bytes > 0 && bytes + size > maxBytes) rotate();
        writeSync(file, line);
        bytes += size;
      } catch {
        // see above
      }
    },
  };
}
