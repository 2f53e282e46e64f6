/** Bytes at the beginning of a SIF that {@link readSifHeader} needs. */
export const sifHeaderBytes = 128;

/**
 * Reads the global header of a SIF (SIF specification, version 1): after a launch line of 32 bytes stands `SIF_MAGIC`, and
 * at byte 112 offset and length of the data, which reach to the end of the file.
 * @param bytes the first {@link sifHeaderBytes} of the file, or fewer if it has fewer
 * @returns how long the complete file is at least, in bytes; null for what is no SIF
 */
export function readSifHeader(bytes: Buffer): { end: number } | null {
  if (bytes.length < sifHeaderBytes || bytes.subarray(32, 41).toString('latin1') !== 'SIF_MAGIC') return null;
  return { end: Number(bytes.readBigInt64LE(112)) + Number(bytes.readBigInt64LE(120)) };
}
