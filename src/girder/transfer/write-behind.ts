/** Bytes that gather at most while a piece is written: a write for each 64 kB would take longer than the network. */
const pieceBytes = 512 * 1024;

/** Writes what arrives at once, and gathers what arrives while it writes. */
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
  let isWriting = false;
  let writing = Promise.resolve();

  function begin(): void {
    isWriting = true;
    writing = write(filling.subarray(0, filled), position).finally(() => {
      isWriting = false;
    });
    // the next call of add or end rejects with the error
    writing.catch(() => undefined);
    position += filled;
    filled = 0;
    [filling, other] = [other, filling];
  }

  return {
    async add(chunk) {
      if (!isWriting) await writing;
      for (let rest = chunk; rest.length > 0;) {
        const part = rest.subarray(0, pieceBytes - filled);
        filling.set(part, filled);
        filled += part.length;
        rest = rest.subarray(part.length);
        if (filled < pieceBytes) continue;
        await writing;
        begin();
      }
      if (!isWriting && filled > 0) begin();
    },
    async end() {
      await writing;
      if (filled > 0) begin();
      await writing;
    },
  };
}
