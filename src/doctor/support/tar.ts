import { gzipSync } from 'node:zlib';

/** A file of an archive. */
export interface BundleFile {
  /** Name in the archive: at most 90 ASCII characters. */
  name: string;
  text: string;
}

const blockBytes = 512;

/** The files as a .tar.gz, readable by their owner only, in the ustar format of POSIX. @param mtime seconds since the epoch */
export function packFiles(files: readonly BundleFile[], directory: string, mtime: number): Buffer {
  const blocks = files.flatMap(({ name, text }) => {
    const content = Buffer.from(text, 'utf8');
    const padding = Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes);
    return [header(`${directory}/${name}`, content.length, mtime), content, padding];
  });
  // two empty blocks end an archive
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]));
}

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;

function header(path: string, size: number, mtime: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(path, 0, 100, 'ascii');
  block.write(octal(0o600, 7), 100, 'ascii');
  // user and group: root, which tar maps to the user who unpacks
  block.write(octal(0, 7), 108, 'ascii');
  block.write(octal(0, 7), 116, 'ascii');
  block.write(octal(size, 11), 124, 'ascii');
  block.write(octal(mtime, 11), 136, 'ascii');
  // the checksum counts its own field as spaces
  block.write('        ', 148, 'ascii');
  block.write('0', 156, 'ascii');
  block.write('ustar\u000000', 257, 'ascii');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return block;
}
