/** What Python's ConfigParser would make of `%(RABBITMQ_USER)s` where the environment says nothing else. */
const defaults = { rabbitmq_user: 'guest', rabbitmq_pass: 'guest', rabbitmq_host: 'localhost' };

/**
 * Reads an INI file as Python's ConfigParser does: `%%` is a percent sign, `%(name)s` another value of the section. Keys are
 * lower case, as `section.key`. A value whose references cannot be resolved is left out.
 */
export function readIni(text: string): ReadonlyMap<string, string> {
  const raw = new Map<string, string>();
  let section = '';
  for (const line of text.split('\n')) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const header = /^\[([^\]]+)\]\s*$/.exec(line);
    if (header !== null) {
      section = header[1] ?? '';
      continue;
    }
    const [, key, value] = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) raw.set(`${section}.${key.toLowerCase()}`, value);
  }
  const values = new Map<string, string>();
  for (const [key, value] of raw) {
    const own = key.slice(0, key.indexOf('.'));
    const resolved = interpolate(value, (name) => raw.get(`${own}.${name}`) ?? raw.get(`DEFAULT.${name}`));
    if (resolved !== null) values.set(key, resolved);
  }
  return values;
}

/** References of references are not followed: no file of this kind has any, and hostile ones have no end. */
function interpolate(value: string, find: (name: string) => string | undefined): string | null {
  let complete = true;
  const text = value.replaceAll(/%(%|\(([^)]*)\)s|)/g, (_, what: string, name: string | undefined) => {
    if (what === '%') return '%';
    const key = name?.toLowerCase() ?? '';
    const found =
      find(key) ?? (Object.hasOwn(defaults, key) ? defaults[key as keyof typeof defaults] : undefined);
    if (found === undefined || found.includes('%')) complete = false;
    return found ?? '';
  });
  return complete ? text : null;
}
