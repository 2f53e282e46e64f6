import { DsaSlurmError } from '../base/errors.js';
import { closestMatch } from '../config/config-error.js';
import { groups, type Check } from './check.js';

/**
 * Selects checks by id or group. Needed checks run as well, unless they are skipped explicitly.
 * @throws DsaSlurmError `usage` for a name that is neither
 */
export function selectChecks(
  all: readonly Check[],
  { only, skip }: { only: readonly string[]; skip: readonly string[] },
): { checks: Check[]; catalog: Check[] } {
  for (const word of [...only, ...skip]) {
    if (all.some(({ id, group }) => id === word || group === word)) continue;
    const meant = closestMatch(word, [...groups, ...all.map(({ id }) => id)]);
    throw new DsaSlurmError('usage', `There is no check or group ${JSON.stringify(word)}.`, {
      next: meant === undefined ? 'See: dsa-slurm doctor --list' : `Did you mean ${meant}?`,
    });
  }
  const catalog = all.filter((check) => !isNamed(check, skip));
  const checks = catalog.filter((check) => only.length === 0 || isNamed(check, only));
  return { checks, catalog };
}

function isNamed({ id, group }: Check, words: readonly string[]): boolean {
  return words.includes(id) || words.includes(group);
}
