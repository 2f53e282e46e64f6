import { DsaSlurmError } from '../base/errors.js';

/** One thing that is wrong with the configuration. No field ever holds a setting's value: it may be a secret. */
export interface ConfigProblem {
  /** The setting, or the unknown key as it is written; null where the whole file is meant. */
  key: string | null;
  /** Where it is: `environment LOGS`, `profile /home/…/default.json`, `flag --set`. */
  source: string;
  /** A whole sentence. */
  message: string;
  /** What to do about it. */
  fix: string;
}

/** Everything that is wrong with the configuration, at once. */
export class ConfigError extends DsaSlurmError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ message, source }) => `${message} (${source})`);
    super('config', `The configuration is wrong: ${lines.join(' ')}`, {
      next: problems.map(({ fix }) => fix).join(' '),
    });
    this.problems = problems;
  }
}

/** The candidate nearest to a misspelled word, if one is near enough to be meant. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase();
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    // `partition` alone means slurm.partition
    const distance = Math.min(editDistance(wanted, known), editDistance(wanted, known.replace(/^.*\./, '')));
    if (best === undefined || distance < best.distance) best = { candidate, distance };
  }
  return best !== undefined && best.distance <= Math.max(1, Math.floor(wanted.length / 3))
    ? best.candidate
    : undefined;
}

/** Levenshtein's distance. Long words are cut: a hostile key must not cost time. */
function editDistance(a: string, b: string): number {
  const [from, to] = [a.slice(0, 64), b.slice(0, 64)];
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
