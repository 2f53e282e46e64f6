import { shellWord } from '../base/text/shell-text.js';
import type { Finding } from './check.js';

export { shellWord as quoted };

type Lines = string | readonly string[];

const linesOf = (text: Lines): readonly string[] => (typeof text === 'string' ? [text] : text);

export const ok = (evidence: Lines): Finding => ({ status: 'ok', evidence: linesOf(evidence) });

export const warn = (evidence: Lines, fix: string): Finding => ({
  status: 'warn',
  evidence: linesOf(evidence),
  fix,
});

export const fail = (evidence: Lines, fix: string): Finding => ({
  status: 'fail',
  evidence: linesOf(evidence),
  fix,
});

/** The check does not apply, and why. */
export const skip = (why: string): Finding => ({ status: 'skip', evidence: [why] });

const severity = ['skip', 'ok', 'warn', 'fail'] as const;

/** Merges findings: the worst status, all evidence with the worst first, and each fix once. */
export function combine(findings: readonly Finding[]): Finding {
  const sorted = findings.toSorted((a, b) => severity.indexOf(b.status) - severity.indexOf(a.status));
  const fixes = [...new Set(sorted.flatMap(({ fix }) => fix ?? []))];
  return {
    status: sorted[0]?.status ?? 'ok',
    evidence: sorted.flatMap(({ evidence }) => evidence),
    ...(fixes.length === 0 ? {} : { fix: fixes.join('\n') }),
  };
}

/** `1 job`, `2 jobs` */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Human-readable size: `12.3 GB`. */
export function bytes(number: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = number;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit]}`;
}

/** The command that changes a setting. A secret is read from standard input. */
export function configSet(profile: string, key: string, example: string): string {
  const named = profile === 'default' ? '' : ` --profile ${profile}`;
  return `dsa-slurm${named} config set ${key} ${shellWord(example)}`;
}
