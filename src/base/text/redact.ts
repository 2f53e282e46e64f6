/** Stands in place of a secret. */
export const masked = '***';

/** Plain JSON. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Words of names whose values are secrets. */
const secretWord =
  /^pass$|(?:token|password|passwd|passphrase|secret|authorization|cookie|apikey|credential)s?$/;
/** Values that are never secrets, whatever their name. */
const harmlessValue = /^(?:true|false|yes|no|none|null)?$/i;
/**
 * Shorter secrets are not replaced within texts: their letters occur in other words, and the gaps would give them away.
 */
const minLength = 6;

/** `girderToken`, `--api-key`, `DB_PASSWORD`; not `--tokenize`. */
function namesSecret(name: string): boolean {
  return name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/api[-_ ]?key/gi, 'apikey')
    .toLowerCase()
    .split(/[^a-z]+/)
    .some((word) => secretWord.test(word));
}

/**
 * Masks what is recognizable as a secret in any text: passwords in URLs, also with unescaped `/` and `@`; values of query
 * parameters such as `token`; and tokens and API keys of Girder (docs/contract.md: 64 and 40 letters and digits).
 */
export function maskText(text: string): string {
  return (
    text
      // these have no @ after the host, so that everything up to the last one belongs to the password
      .replaceAll(/((?:amqps?|mongodb(?:\+srv)?|rediss?):\/\/[^\s/:?#]*:)(\S+)@/gi, maskPassword)
      // others can have: docker://registry:5000/name@sha256:...
      .replaceAll(/(\/\/[^\s/:?#]*:)(?!\d{1,5}[/?#])(\S+)@/g, maskPassword)
      .replaceAll(/([?&][^=&\s]*(?:token|key|secret|password|sig|auth)[^=&\s]*=)[^&\s]+/gi, `$1${masked}`)
      .replaceAll(
        // digests are hexadecimal
        /(?<![A-Za-z0-9])(?![0-9a-f]+(?![A-Za-z0-9]))([A-Za-z0-9]{64}|[A-Za-z0-9]{40})(?![A-Za-z0-9])/g,
        masked,
      )
  );
}

/** `user:password` is how help texts write an address. */
function maskPassword(whole: string, before: string, password: string): string {
  return password === 'password' ? whole : `${before}${masked}@`;
}

/** `amqp://user:***@host/vhost`: a URL without its password. A text that is not a URL is masked completely. */
export function maskUrl(text: string): string {
  try {
    const url = new URL(text);
    if (url.password !== '') url.password = masked;
    // what follows an unescaped / in a password is not its password for URL
    return maskText(url.href.replaceAll('%2A', '*'));
  } catch {
    return masked;
  }
}

/** Masks an argument vector: values of options that are named like secrets, and what {@link maskText} masks. */
export function maskArguments(args: readonly string[]): string[] {
  return args.map((arg, index) => {
    const before = args[index - 1];
    if (before !== undefined && isSecretFlag(before) && !arg.startsWith('-')) return masked;
    const [, flag] = /^(-{0,2}[\w-]+=)./s.exec(arg) ?? [];
    return flag !== undefined && namesSecret(flag) ? `${flag}${masked}` : maskText(arg);
  });
}

function isSecretFlag(arg: string): boolean {
  return /^--?[\w-]+$/.test(arg) && namesSecret(arg);
}

/** Masks the value of an assignment such as `DB_PASSWORD=x` or `"token": "x"` in a line of a configuration file. */
export function maskAssignment(line: string): string {
  for (const found of line.matchAll(/(?<![\w.-]|\$\{)([\w.-]+)["']?\s*[=:]\s*(?=\S)/g)) {
    const [assignment, name = ''] = found;
    const start = found.index + assignment.length;
    // a reference, such as ${DSA_ADMIN_PASSWORD:?see .env}, is not a secret
    if (!namesSecret(name) || /^"?\$\{[^}]*\}"?$/.test(line.slice(start))) continue;
    return line.slice(0, start) + masked;
  }
  return line;
}

/** Returns a function that masks the given secrets, in each form in which they are written, and what {@link maskText} masks. */
export function createTextMask(secrets: Iterable<string>): (text: string) => string {
  const forms = [...new Set(secrets)]
    .filter((secret) => secret.length >= minLength)
    .flatMap((secret) => [secret, encodeURIComponent(secret.toWellFormed()), secret.replaceAll('%', '%%')])
    .toSorted((a, b) => b.length - a.length);
  return (text) => maskText(forms.reduce((rest, form) => rest.replaceAll(form, masked), text));
}

/**
 * Returns a function that masks the secrets of a message wherever they occur: values whose name says so, everything below
 * `headers`, values of arguments such as `--token x`, and what {@link maskText} masks.
 * @param sources everything of the message that can hold secrets
 */
export function createMessageMask(...sources: readonly unknown[]): (value: JsonValue) => JsonValue {
  const secrets = new Set<string>();
  for (const source of sources) collectSecrets(source, secrets);
  const maskSecrets = createTextMask(secrets);
  const maskString = (text: string): string => (secrets.has(text) ? masked : maskSecrets(text));
  const mask = (value: JsonValue, isSecret: boolean): JsonValue => {
    if (typeof value === 'string') return isSecret && value !== '' ? masked : maskString(value);
    if (typeof value !== 'object' || value === null) return value;
    if (isArray(value)) return value.map((item) => mask(item, isSecret));
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        maskString(name),
        mask(item, isSecret || holdsSecrets(name, item)),
      ]),
    );
  };
  return (value) => mask(value, false);
}

function holdsSecrets(name: string, value: unknown): boolean {
  return name === 'headers' || (namesSecret(name) && (typeof value === 'string' || Array.isArray(value)));
}

function collectSecrets(source: unknown, secrets: Set<string>): void {
  const add = (value: string): void => {
    if (!harmlessValue.test(value)) secrets.add(value);
  };
  if (typeof source === 'string') {
    const [, name = '', value = ''] = /^-{0,2}([\w-]{1,64})=(.+)$/s.exec(source) ?? [];
    if (namesSecret(name)) add(value);
  } else if (isArray(source)) {
    for (const [index, item] of source.entries()) {
      const before: unknown = source[index - 1];
      const isValue = typeof before === 'string' && isSecretFlag(before);
      if (isValue && typeof item === 'string' && !item.startsWith('-')) add(item);
      else collectSecrets(item, secrets);
    }
  } else if (typeof source === 'object' && source !== null) {
    for (const [name, item] of Object.entries(source)) {
      if (namesSecret(name) && typeof item === 'string') add(item);
      else collectSecrets(item, secrets);
    }
  }
}

function isArray(value: unknown): value is readonly JsonValue[] {
  return Array.isArray(value);
}
