/** Values in the notation of the file that they are put into. None takes line breaks: `checkAnswers` refuses them. */

/** A YAML scalar: in double quotes, whose escapes are those of JSON. */
export function yamlScalar(text: string): string {
  return JSON.stringify(text);
}

/** The same for a compose file, in which `$` begins a variable. */
export function composeScalar(text: string): string {
  return yamlScalar(text.replaceAll('$', '$$$$'));
}

/**
 * A value of a compose `.env` file, taken as it is. The readers of docker and podman agree on single quotes only as long
 * as no quote, backslash or `${` is between them: `checkAnswers` refuses those.
 */
export function envValue(text: string): string {
  return `'${text}'`;
}

/** A value for Python's ConfigParser, in which `%` begins a reference. */
export function iniValue(text: string): string {
  return text.replaceAll('%', '%%');
}

/** One word of a systemd setting, in which `%` begins a specifier. */
export function systemdWord(text: string): string {
  return `"${text.replaceAll('%', '%%').replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** One word of a systemd command line, in which `$` begins a variable as well. */
export function systemdArgument(text: string): string {
  return systemdWord(text).replaceAll('$', '$$$$');
}
