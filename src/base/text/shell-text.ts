/** An argument vector as a POSIX shell command line, for display and copying only. */
export function shellText(argv: readonly string[]): string {
  return argv.map(shellWord).join(' ');
}

/** One argument, in single quotes if a shell needs them. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
