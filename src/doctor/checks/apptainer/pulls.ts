import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Check, Finding } from '../../check.js';
import { bytes, combine, fail, ok, quoted, warn } from '../../check-result.js';

/** Where Apptainer builds a SIF, and where pulls by hand keep layers. */
export interface PullFacts {
  /** `APPTAINER_TMPDIR`, `TMPDIR` or /tmp. */
  building: { path: string; setBy: string | null; free: number | null };
  /** Bytes, at least; null where there is none. `inHome`: nobody has named a place for it. */
  cache: { path: string; bytes: number; inHome: boolean; free: number | null } | null;
}

/** Images of the Digital Slide Archive have some GB, and as much again is needed to unpack their layers. */
const usualRoom = 10e9;
/** A cache of this size fills homes whose quota is small. */
const largeCache = 5e9;

/** Pure. */
export function judgePulls({ building, cache }: PullFacts): Finding {
  const findings: Finding[] = [];
  const from = building.setBy === null ? '' : ` (${building.setBy})`;
  const elsewhere =
    'export APPTAINER_TMPDIR=/scratch/apptainer   # in the environment of the worker, with a directory that is there';
  if (building.free === null) {
    findings.push(
      fail(
        `Pulls fail: the directory ${building.path}${from} is not there.`,
        `mkdir -p ${quoted(building.path)}`,
      ),
    );
  } else if (building.free < usualRoom) {
    findings.push(
      warn(
        `Pulls build images in ${building.path}${from}, where only ${bytes(building.free)} are free.`,
        elsewhere,
      ),
    );
  } else findings.push(ok(`images are built in ${building.path}${from}, ${bytes(building.free)} free`));
  if (cache !== null) {
    const seen = `Pulls by hand have kept ${bytes(cache.bytes)} in ${cache.path}`;
    const isTight = cache.free !== null && cache.free < usualRoom;
    findings.push(
      cache.inHome && (cache.bytes > largeCache || isTight)
        ? warn(
            `${seen}, in the home of this user${cache.free === null ? '' : `, where ${bytes(cache.free)} are free`}; dsa-slurm itself keeps nothing there.`,
            'apptainer cache clean   # and for the next ones: export APPTAINER_CACHEDIR=/scratch/apptainer-cache',
          )
        : ok(seen),
    );
  }
  return combine(findings);
}

export const pulls: Check = {
  id: 'apptainer.pulls',
  group: 'apptainer',
  title: 'room for pulling images',
  needs: ['apptainer.version'],
  async run({ env }) {
    const setBy = ['APPTAINER_TMPDIR', 'TMPDIR'].find((name) => (env[name] ?? '') !== '') ?? null;
    const building = setBy === null ? '/tmp' : (env[setBy] ?? '/tmp');
    const named = env['APPTAINER_CACHEDIR'] ?? '';
    const home = env['HOME'] ?? '';
    const cache = named === '' && home !== '' ? join(home, '.apptainer', 'cache') : named;
    const size = cache === '' ? null : await sizeOf(cache);
    return judgePulls({
      building: { path: building, setBy, free: await freeIn(building) },
      cache:
        size === null ? null : { path: cache, bytes: size, inHome: named === '', free: await freeIn(cache) },
    });
  },
};

async function freeIn(path: string): Promise<number | null> {
  const found = await statfs(path).catch(() => null);
  return found === null ? null : found.bavail * found.bsize;
}

/** Layers are few and large: this many files are enough to know. */
const mostFiles = 2_000;

async function sizeOf(directory: string): Promise<number | null> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => null);
  if (entries === null) return null;
  const files = entries.filter((entry) => entry.isFile()).slice(0, mostFiles);
  const sizes = await Promise.all(
    files.map(
      async ({ parentPath, name }) => (await stat(join(parentPath, name)).catch(() => null))?.size ?? 0,
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
