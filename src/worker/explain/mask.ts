/** What may be shown: plain JSON. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** What stands in the place of a secret. */
export const masked = '[secret]';

const secretWord = /(?:token|password|passwd|passphrase|secret|authorization|cookie|apikey|credential)s?$/;
/** What nobody keeps secret, whatever the name says. */
const openWord = /^(?:true|false|yes|no|none|null)?$/i;
/** A shorter secret is hidden only where it stands alone: its letters are in every other word. */
const shortest = 6;

/**
 * A filter that hides the secrets of a message wherever they are met: values whose name says so, whatever stands under
 * `headers` (as in the worker's log), passwords and tokens in addresses, and values of arguments such as `--token x`.
 * @param sources everything in which the message may hold them
 */
export function createMask(...sources: readonly unknown[]): (value: Plain) => Plain {
  const secrets = new Set<string>();
  for (const source of sources) collect(source, secrets);
  const whole = [...secrets].toSorted((a, b) => b.length - a.length);
  const parts = whole.filter((secret) => secret.length >= shortest);

  const hide = (text: string): string => {
    if (secrets.has(text)) return masked;
    const known = parts.reduce((shown, secret) => shown.replaceAll(secret, masked), text);
    return known
      .replaceAll(/(\/\/[^\s/:@]*:)[^\s/@]+@/g, `$1${masked}@`)
      .replaceAll(/([?&][^=&\s]*(?:token|key|secret|password|sig|auth)[^=&\s]*=)[^&\s]+/gi, `$1${masked}`);
  };
  const filter = (value: Plain, isSecret: boolean): Plain => {
    if (typeof value === 'string') return isSecret && value !== '' ? masked : hide(value);
    if (typeof value !== 'object' || value === null) return value;
    if (isArray(value)) return value.map((item) => filter(item, isSecret));
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [hide(name), filter(item, isSecret || hidden(name, item))]),
    );
  };
  return (value) => filter(value, false);
}

/** `girderToken`, `--api-key`, `DB_PASSWORD`; not `--tokenize`. */
function namesSecret(name: string): boolean {
  const words = name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/api[-_ ]?key/gi, 'apikey')
    .toLowerCase()
    .split(/[^a-z]+/);
  return words.some((word) => secretWord.test(word));
}

/** `headers` of a message's parts hold whatever gets a request through. */
function hidden(name: string, value: unknown): boolean {
  return name === 'headers' || (namesSecret(name) && (typeof value === 'string' || Array.isArray(value)));
}

function collect(source: unknown, secrets: Set<string>): void {
  if (typeof source === 'string') {
    const [, name, value] = /^-{0,2}([\w-]{1,64})=(.+)$/s.exec(source) ?? [];
    if (name !== undefined && value !== undefined && namesSecret(name) && !openWord.test(value)) {
      secrets.add(value);
    }
    return;
  }
  if (typeof source !== 'object' || source === null) return;
  if (isArray(source)) {
    for (const [index, item] of source.entries()) {
      const before: unknown = source[index - 1];
      const isFlag = typeof before === 'string' && /^--?[\w-]+$/.test(before) && namesSecret(before);
      if (isFlag && typeof item === 'string' && !openWord.test(item) && !item.startsWith('-'))
        secrets.add(item);
      else collect(item, secrets);
    }
    return;
  }
  for (const [name, item] of Object.entries(source)) {
    if (namesSecret(name) && typeof item === 'string' && !openWord.test(item)) secrets.add(item);
    else collect(item, secrets);
  }
}

function isArray(value: unknown): value is readonly Plain[] {
  return Array.isArray(value);
}
