/** Names whose values are secrets, as they are spelled in the files that init writes and in those of old sites. */
const secretName =
  /((?:["']?)[\w.-]*(?:passw(?:or)?d|pass|secret|token|api_?key)[\w.-]*(?:["']?)\s*[=:]\s*)(\S.*)$/i;

/**
 * Makes lines fit to be shown: passwords of addresses, values of names such as `…PASSWORD`, and the given secrets become
 * `***`; control characters, which could take over a terminal, become visible.
 */
export function createMask(secrets: readonly string[]): (line: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= 4)
    .flatMap((secret) => [secret, encodeURIComponent(secret), secret.replaceAll('%', '%%')])
    .sort((a, b) => b.length - a.length);
  return (line) => {
    let text = line;
    for (const form of forms) text = text.replaceAll(form, '***');
    return text
      .replaceAll(/(:\/\/[^:/?#\s]*:)[^\s]*@/g, '$1***@')
      .replace(secretName, (whole, name: string, value: string) =>
        // a reference to a secret is none: ${DSA_ADMIN_PASSWORD:?see .env}
        /^"?\$\{[^}]*\}"?$/.test(value) ? whole : `${name}***`,
      )
      .replaceAll(/[^\P{Cc}\t]/gu, '\u{FFFD}');
  };
}
