import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../check-result.js';

/** The locale that counts, as the C library picks it. Pure. */
export function judgeLocale(env: Readonly<Record<string, string | undefined>>): Finding {
  const name = ['LC_ALL', 'LC_CTYPE', 'LANG'].find((candidate) => (env[candidate] ?? '') !== '');
  const value = name === undefined ? '' : (env[name] ?? '');
  if (/utf-?8/i.test(value)) return ok(`${name}=${value}`);
  return warn(
    name === undefined
      ? 'No locale is set, so names with letters beyond ASCII look broken on this terminal.'
      : `${name}=${value} is not UTF-8, so names with letters beyond ASCII look broken on this terminal.`,
    'export LANG=C.UTF-8',
  );
}

export const locale: Check = {
  id: 'host.locale',
  group: 'host',
  title: 'locale',
  run: async ({ env }) => judgeLocale(env),
};
