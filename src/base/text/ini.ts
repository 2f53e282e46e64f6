/** Defaults for references such as `%(RABBITMQ_USER)s`, which girder_worker reads from the environment. */
const defaults = { rabbitmq_user: 'guest', rabbitmq_pass: 'guest', rabbitmq_host: 'localhost' };

/**
 * Parses an INI file as Python's ConfigParser does: `%%` is a percent sign, `%(name)s` another value of the section. Keys are
 * returned as `section.key` in lower case. A value whose references cannot be resolved is omitted.
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
    const section = key.slice(0, key.indexOf('.'));
    const resolved = interpolate(
      value,
      (name) => raw.get(`${section}.${name}`) ?? raw.get(`DEFAULT.${name}`),
    );
    if (resolved !== null) values.set(key, resolved);
  }
  return values;
}

/** Nested references are not followed: real files have none, and those of hostile files may be circular. */
function interpolate(value: string, find: (name: string) => string | undefined): string | null {
  let complete = true;
  const text = value.replaceAll(/%(%|\(([^)]*)\)s|)/g, (_, reference: string, name: string | undefined) => {
    if (reference === '%') return '%';
    const key = name?.toLowerCase() ?? '';
    const found =
      find(key) ?? (Object.hasOwn(defaults, key) ? defaults[key as keyof typeof defaults] : undefined);
    if (found === undefined || found.includes('%')) complete = false;
    return found ?? '';
  });
  return complete ? text : null;
}

/** A value for an INI file, which {@link readIni} and Python's ConfigParser read back unchanged. */
export function iniValue(text: string): string {
  return text.replaceAll('%', '%%');
}
