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
  if (word.length > 64) return undefined; // no name of ours is; and a hostile key must not cost time
  const wanted = word.toLowerCase();
  const tolerance = Math.max(1, Math.floor(lastPart(wanted).length / 3));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    // `partition` alone means slurm.partition
    const distance = Math.min(editDistance(wanted, known), editDistance(wanted, lastPart(known)));
    if (best === undefined || distance < best.distance) best = { candidate, distance };
  }
  return best !== undefined && best.distance <= tolerance ? best.candidate : undefined;
}

function lastPart(key: string): string {
  return key.replace(/^.*\./s, '');
}

/** Letters to change, add, leave out or swap with their neighbour. */
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
