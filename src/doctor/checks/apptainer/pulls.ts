import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Check, Finding } from '../../check.js';
import { bytes, combine, fail, ok, quoted, warn } from '../../check-result.js';

/** Where Apptainer builds images, and where manual pulls cache layers. */
export interface PullFacts {
  /** `APPTAINER_TMPDIR`, `TMPDIR` or /tmp. */
  building: { path: string; setBy: string | null; free: number | null };
  /** `bytes`: a lower bound; null if there is no cache. `inHome`: the default location. */
  cache: { path: string; bytes: number; inHome: boolean; free: number | null } | null;
}

/** Images of the Digital Slide Archive have a few GB, and unpacking their layers needs the same again. */
const typicalSpace = 10e9;
/** A cache of this size fills home directories with small quotas. */
const largeCache = 5e9;

/** Judges the free space for pulls. */
export function judgePulls({ building, cache }: PullFacts): Finding {
  const findings: Finding[] = [];
  const from = building.setBy === null ? '' : ` (${building.setBy})`;
  const elsewhere =
    "export APPTAINER_TMPDIR=/scratch/apptainer   # in the worker's environment; the directory must exist";
  if (building.free === null) {
    findings.push(
      fail(`Pulls will fail: ${building.path}${from} does not exist.`, `mkdir -p ${quoted(building.path)}`),
    );
  } else if (building.free < typicalSpace) {
    findings.push(
      warn(
        `Only ${bytes(building.free)} are free in ${building.path}${from}, where pulls build images.`,
        elsewhere,
      ),
    );
  } else findings.push(ok(`images are built in ${building.path}${from}, ${bytes(building.free)} free`));
  if (cache !== null) {
    const usage = `Apptainer's cache ${cache.path} has ${bytes(cache.bytes)}`;
    const isTight = cache.free !== null && cache.free < typicalSpace;
    findings.push(
      cache.inHome && (cache.bytes > largeCache || isTight)
        ? warn(
            `${usage}, in the home directory${cache.free === null ? '' : `, where ${bytes(cache.free)} are free`}; dsa-slurm does not use it.`,
            'apptainer cache clean   # for later pulls: export APPTAINER_CACHEDIR=/scratch/apptainer-cache',
          )
        : ok(usage),
    );
  }
  return combine(findings);
}

export const pulls: Check = {
  id: 'apptainer.pulls',
  group: 'apptainer',
  title: 'space for pulling images',
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

/** Layers are few and large, so a sample of this size is enough. */
const maxFiles = 2_000;

async function sizeOf(directory: string): Promise<number | null> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => null);
  if (entries === null) return null;
  const files = entries.filter((entry) => entry.isFile()).slice(0, maxFiles);
  const sizes = await Promise.all(
    files.map(
      async ({ parentPath, name }) => (await stat(join(parentPath, name)).catch(() => null))?.size ?? 0,
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
