/** A line that is longer than was agreed. */
export class LineTooLong extends Error {}

/**
 * The lines of a stream, as they come; one without an end is none. The stream is read no faster than its lines are taken.
 * @param limit bytes of a line; asked again for each piece
 * @throws LineTooLong as soon as it is certain that a line is too long
 */
export async function* readLines(
  source: AsyncIterable<Buffer>,
  limit: () => number,
): AsyncGenerator<string, void, undefined> {
  let begun: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    let rest = chunk;
    for (;;) {
      const end = rest.indexOf(0x0a);
      const piece = end < 0 ? rest : rest.subarray(0, end);
      bytes += piece.length;
      if (bytes > limit()) throw new LineTooLong(`a line of more than ${limit()} bytes`);
      begun.push(piece);
      if (end < 0) break;
      const line = Buffer.concat(begun).toString('utf8');
      begun = [];
      bytes = 0;
      rest = rest.subarray(end + 1);
      yield line;
    }
  }
}

/** A message as a line. */
export function toLine(message: unknown): string {
  // JSON has no line end of its own
  return `${JSON.stringify(message)}\n`;
}
