import { DsaSlurmError } from '../base/errors.js';

/** A problem with the configuration. No field contains a setting's value, which may be a secret. */
export interface ConfigProblem {
  /** The setting, or the unknown key as written; null for the whole file. */
  key: string | null;
  /** Where the value came from: `environment LOGS`, `profile /home/…/default.json`, `flag --set`. */
  source: string;
  /** A complete sentence. */
  message: string;
  /** How to fix it. */
  fix: string;
}

/** All problems with the configuration. */
export class ConfigError extends DsaSlurmError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ message, source }) => `${message} (${source})`);
    super('config', `The configuration is invalid: ${lines.join(' ')}`, {
      next: problems.map(({ fix }) => fix).join(' '),
    });
    this.problems = problems;
  }
}

/** The candidate most similar to a misspelled word, if one is similar enough to suggest. */
export function closestMatch(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > 64) return undefined; // longer than any setting; bounds the time spent on a hostile key
  const target = word.toLowerCase();
  const tolerance = Math.max(1, Math.floor(lastPart(target).length / 3));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    // `partition` matches slurm.partition
    const distance = Math.min(editDistance(target, known), editDistance(target, lastPart(known)));
    if (best === undefined || distance < best.distance) best = { candidate, distance };
  }
  return best !== undefined && best.distance <= tolerance ? best.candidate : undefined;
}

function lastPart(key: string): string {
  return key.replace(/^.*\./s, '');
}

/** Number of characters to change, insert, delete or swap with their neighbor (optimal string alignment distance). */
function editDistance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= to.length; j += 1) {
      const changed = at(i - 1, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const swapped =
        from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1] ? at(i - 2, j - 2) + 1 : Infinity;
      row.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, changed, swapped));
    }
  }
  return at(from.length, to.length);
}
