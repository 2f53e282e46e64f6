import { open } from '../base/network-fs.js';

/** Bytes at the beginning of a SIF that hold its global header. */
export const sifHeaderBytes = 128;

export interface SifLength {
  /** Bytes that are there. */
  size: number;
  /** Bytes that a complete file has at least; null for a file that is no SIF. */
  end: number | null;
}

/**
 * How much of a SIF is there. After a launch line of 32 bytes stands `SIF_MAGIC`, and at byte 112 offset and length of the
 * data, which reach to the end of the file (SIF specification, version 1).
 * @throws the system's error if the file cannot be read
 */
export async function readSifLength(path: string): Promise<SifLength> {
  await using file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(sifHeaderBytes), 0, sifHeaderBytes, 0);
  const { size } = await file.stat();
  const isSif = bytesRead === sifHeaderBytes && buffer.subarray(32, 41).toString('latin1') === 'SIF_MAGIC';
  return {
    size,
    end: isSif ? Number(buffer.readBigInt64LE(112)) + Number(buffer.readBigInt64LE(120)) : null,
  };
}

/** A pull or a copy of it was interrupted. */
export function isCutShort({ size, end }: SifLength): boolean {
  return end !== null && end > size;
}
