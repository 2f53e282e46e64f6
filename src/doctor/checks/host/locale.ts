import type { Check, Finding } from '../../check.js';
import { ok, warn } from '../../check-result.js';

/** Judges the effective locale, by the C library's precedence. */
export function judgeLocale(env: Readonly<Record<string, string | undefined>>): Finding {
  const name = ['LC_ALL', 'LC_CTYPE', 'LANG'].find((candidate) => (env[candidate] ?? '') !== '');
  const value = name === undefined ? '' : (env[name] ?? '');
  if (/utf-?8/i.test(value)) return ok(`${name}=${value}`);
  return warn(
    name === undefined
      ? 'No locale is set, so non-ASCII names will be garbled in this terminal.'
      : `${name}=${value} is not UTF-8, so non-ASCII names will be garbled in this terminal.`,
    'export LANG=C.UTF-8',
  );
}

export const locale: Check = {
  id: 'host.locale',
  group: 'host',
  title: 'locale',
  run: async ({ env }) => judgeLocale(env),
};
