/** Names whose values are secrets in the files of init and of existing sites. */
const secretName =
  /((?:["']?)[\w.-]*(?:passw(?:or)?d|pass|secret|token|api_?key)[\w.-]*(?:["']?)\s*[=:]\s*)(\S.*)$/i;

/**
 * Returns a function that masks passwords in addresses, values of names such as `…PASSWORD`, and the given secrets in a line,
 * and replaces control characters, which could control the terminal.
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
        // a reference, such as ${DSA_ADMIN_PASSWORD:?see .env}, is not a secret
        /^"?\$\{[^}]*\}"?$/.test(value) ? whole : `${name}***`,
      )
      .replaceAll(/[^\P{Cc}\t]/gu, '\u{FFFD}');
  };
}
