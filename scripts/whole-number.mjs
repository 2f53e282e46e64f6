/**
 * Parses a flag of a script. Exits with 2 and a message if it is not a whole number: a check of zero runs would always pass.
 *
 * @param flag - for example `--runs`
 * @param text - as it was given
 * @param least - what it must be at least
 */
export function wholeNumber(flag, text, least) {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= 1_000_000) return value;
  process.stderr.write(`${flag} must be a whole number, ${least} or more.\n`);
  process.exit(2);
}
