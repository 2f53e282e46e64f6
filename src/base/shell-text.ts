/** An argument vector as a POSIX shell would take it, to be shown and copied; nothing here is ever run by one. */
export function shellText(argv: readonly string[]): string {
  return argv.map(shellWord).join(' ');
}

/** One argument: as it is where a shell leaves it alone, else in single quotes. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
