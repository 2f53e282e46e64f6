import { open } from '../base/files/network-fs.js';

/** Size of the global header at the start of a SIF, in bytes. */
export const sifHeaderBytes = 128;

interface SifLength {
  /** Actual size in bytes. */
  size: number;
  /** Minimum size of the complete file, in bytes; null for a file that is not a SIF. */
  expectedSize: number | null;
}

/**
 * Reads the actual and the expected size of a SIF. `SIF_MAGIC` follows a launch line of 32 bytes; at byte 112 are offset and
 * length of the data, which extends to the end of the file (SIF specification, version 1).
 * @throws the system's error if the file cannot be read
 */
export async function readSifLength(path: string): Promise<SifLength> {
  await using file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(sifHeaderBytes), 0, sifHeaderBytes, 0);
  const { size } = await file.stat();
  const isSif = bytesRead === sifHeaderBytes && buffer.subarray(32, 41).toString('latin1') === 'SIF_MAGIC';
  return {
    size,
    expectedSize: isSif ? Number(buffer.readBigInt64LE(112)) + Number(buffer.readBigInt64LE(120)) : null,
  };
}

/** Whether the end of the file is missing, because a pull or copy was interrupted. */
export function isTruncated({ size, expectedSize: end }: SifLength): boolean {
  return end !== null && end > size;
}
