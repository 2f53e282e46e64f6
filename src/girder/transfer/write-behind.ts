/** Bytes that are written at once: a write for each piece that arrives would take longer than the network. */
const pieceBytes = 512 * 1024;

/** Writes what arrives, in larger pieces, each while the next one arrives. */
export interface WriteBehind {
  /** Resolves when there is room for more. Rejects if an earlier piece could not be written. */
  add(chunk: Uint8Array): Promise<void>;
  /** Resolves when everything is written. Rejects if it could not be. */
  end(): Promise<void>;
}

/**
 * @param write writes a whole piece at a position of the file
 * @param from position of the first byte
 */
export function createWriteBehind(
  write: (piece: Uint8Array, position: number) => Promise<void>,
  from: number,
): WriteBehind {
  /** One is filled while the other is written; their reuse leaves no garbage of the size of the file. */
  let [filling, other] = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)];
  let filled = 0;
  let position = from;
  let writing = Promise.resolve();

  async function writeFilled(): Promise<void> {
    await writing;
    if (filled === 0) return;
    writing = write(filling.subarray(0, filled), position);
    // the next call of add or end rejects with the error
    writing.catch(() => undefined);
    position += filled;
    filled = 0;
    [filling, other] = [other, filling];
  }

  return {
    async add(chunk) {
      for (let rest = chunk; rest.length > 0;) {
        const part = rest.subarray(0, pieceBytes - filled);
        filling.set(part, filled);
        filled += part.length;
        rest = rest.subarray(part.length);
        if (filled === pieceBytes) await writeFilled();
      }
    },
    async end() {
      await writeFilled();
      await writing;
    },
  };
}
