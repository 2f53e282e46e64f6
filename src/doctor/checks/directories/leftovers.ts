import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runDirectoryName, removeStaged } from '../../../girder/transfer/volume-disk.js';
import type { Run } from '../../../worker/run-state/run.js';
import type { Check } from '../../check.js';
import { count, ok, quoted, warn } from '../../check-result.js';

/** Time after the end of a run during which its files may still be in use. */
const settledMs = 10 * 60_000;
const prefix = 'dsa-slurm-';

/** Directories below `tmp` with the worker's naming scheme. */
export interface Leftovers {
  /** Of finished runs: safe to remove. */
  finished: string[];
  /** Of runs that are not in this journal: of another profile, or very old. Never removed. */
  unknown: string[];
}

/** Finds directories left behind by finished runs, except failed ones with `worker.keepFiles`. */
export async function findLeftovers(
  { tmp, keepFiles, now }: { tmp: string; keepFiles: boolean; now: number },
  runs: readonly Pick<Run, 'id' | 'stage' | 'outcome' | 'finishedAt'>[],
): Promise<Leftovers> {
  const byName = new Map(runs.map((run) => [runDirectoryName(run.id), run]));
  const left: Leftovers = { finished: [], unknown: [] };
  for (const name of (await readdir(tmp)).toSorted()) {
    if (!name.startsWith(prefix)) continue;
    const path = join(tmp, name);
    const found = await lstat(path).catch(() => null);
    if (found === null || !found.isDirectory() || found.uid !== process.getuid?.()) continue;
    const run = byName.get(name);
    if (run === undefined) {
      if (now - found.mtimeMs > 24 * 60 * 60_000) left.unknown.push(path);
    } else if (run.stage === 'finished' && now - (run.finishedAt ?? now) > settledMs) {
      if (!(keepFiles && run.outcome === 'failed')) left.finished.push(path);
    }
  }
  return left;
}

export const leftovers: Check = {
  id: 'directories.leftovers',
  group: 'directories',
  title: 'temporary files of finished runs',
  needs: ['directories.tmp', 'worker.journal'],
  async run({ settings, clock, profile, needed }) {
    const { runs } = needed('worker.journal');
    const { tmp } = settings.dirs;
    const left = await findLeftovers({ tmp, keepFiles: settings.worker.keepFiles, now: clock.now() }, runs);
    const unknown =
      left.unknown.length === 0
        ? []
        : [
            `${count(left.unknown.length, 'old directory', 'old directories')} of runs that are not in this journal; see: ls -ld ${tmp}/${prefix}*`,
          ];
    if (left.finished.length === 0)
      return { ...ok([`none of this profile in ${tmp}`, ...unknown]), fact: left };
    const named = profile === 'default' ? '' : ` --profile ${profile}`;
    const shown = `${left.finished.slice(0, 3).join(', ')}${left.finished.length > 3 ? ', …' : ''}`;
    const finding = warn(
      [`${count(left.finished.length, 'directory', 'directories')} of finished runs: ${shown}`, ...unknown],
      `dsa-slurm${named} doctor --fix --only directories.leftovers`,
    );
    return { ...finding, fact: left };
  },
  repairs: (_context, fact) =>
    (fact as Leftovers).finished.map((path) => ({
      what: `rm -r ${quoted(path)}`,
      apply: async () => removeStaged({ ownDirectories: [path] }),
    })),
};
