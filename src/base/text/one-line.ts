/** Removes line breaks and control characters, for a terminal: names, titles and reasons are untrusted texts. */
export function oneLine(text: string): string {
  return text
    .slice(0, 2_000)
    .toWellFormed()
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, '\uFFFD')
    .trim();
}
