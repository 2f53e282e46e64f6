/** Quoting of values for generated files. Values contain no line breaks: `checkAnswers` rejects them. */

/** A YAML scalar in double quotes, which have the escapes of JSON. */
export function yamlScalar(text: string): string {
  return JSON.stringify(text);
}

/** A YAML scalar for a compose file, in which `$` begins a variable. */
export function composeScalar(text: string): string {
  return yamlScalar(text.replaceAll('$', '$$$$'));
}

/**
 * A literal value for a compose `.env` file. Docker and Podman parse single quotes alike only if they contain no quote,
 * backslash or `${`, which `checkAnswers` rejects.
 */
export function envValue(text: string): string {
  return `'${text}'`;
}

/** A word in a systemd unit, in which `%` begins a specifier. */
export function systemdWord(text: string): string {
  return `"${text.replaceAll('%', '%%').replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** A word in a systemd command line, in which `$` also begins a variable. */
export function systemdArgument(text: string): string {
  return systemdWord(text).replaceAll('$', '$$$$');
}
