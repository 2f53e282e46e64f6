/** A line exceeds the limit. */
export class LineTooLong extends Error {}

/**
 * Yields the lines of a stream; an incomplete last line is ignored. The stream is read only as fast as its lines are consumed.
 * @param limit maximum bytes of a line; called for each chunk
 * @throws LineTooLong as soon as a line exceeds the limit
 */
export async function* readLines(
  source: AsyncIterable<Buffer>,
  limit: () => number,
): AsyncGenerator<string, void, undefined> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    let rest = chunk;
    for (;;) {
      const end = rest.indexOf(0x0a);
      const piece = end < 0 ? rest : rest.subarray(0, end);
      bytes += piece.length;
      if (bytes > limit()) throw new LineTooLong(`a line of more than ${limit()} bytes`);
      pieces.push(piece);
      if (end < 0) break;
      const line = Buffer.concat(pieces).toString('utf8');
      pieces = [];
      bytes = 0;
      rest = rest.subarray(end + 1);
      yield line;
    }
  }
}

/** Serializes a message as a line. */
export function toLine(message: unknown): string {
  // JSON.stringify escapes line breaks
  return `${JSON.stringify(message)}\n`;
}
