import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isTruncated, readSifLength } from '../../../apptainer/sif-header.js';
import type { Check, Finding } from '../../check.js';
import { bytes, combine, count, ok, quoted, warn } from '../../check-result.js';

/** A file in the image directory. */
export interface ImageFile {
  name: string;
  size: number;
  readable: boolean;
  /** Minimum size of the complete file, in bytes; null if it is not a SIF. */
  expectedSize: number | null;
  modifiedAt: number;
}

/** Younger files may belong to a pull in progress. */
const youngMs = 10 * 60_000;

/**
 * Judges image files and leftovers of interrupted pulls.
 * @param options.asksGirder girder.images compares them with Girder's images and suggests the fix
 */
export function judgeFiles(
  directory: string,
  files: readonly ImageFile[],
  now: number,
  { asksGirder = false, profile = 'default' }: { asksGirder?: boolean; profile?: string } = {},
): Finding {
  const sifs = files.filter(({ name }) => name.endsWith('.sif'));
  const findings: Finding[] = [
    sifs.length === 0 && asksGirder
      ? ok(`no images in ${directory} yet`)
      : sifs.length === 0
        ? warn(
            `There are no images in ${directory}.`,
            `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} images pull example/small:v1   # name your image`,
          )
        : ok(
            `${count(sifs.length, 'image')} in ${directory}, ${bytes(sifs.reduce((sum, { size }) => sum + size, 0))}`,
          ),
  ];
  for (const { name, size, readable, expectedSize, modifiedAt } of sifs) {
    const path = join(directory, name);
    if (!readable) findings.push(warn(`This user cannot read ${name}.`, `chmod go+r ${quoted(path)}`));
    else if (now - modifiedAt > youngMs && (expectedSize === null || isTruncated({ size, expectedSize }))) {
      const seen =
        expectedSize === null
          ? `is not a SIF (${bytes(size)})`
          : `is truncated: ${size} of ${expectedSize} bytes`;
      findings.push(
        // not a failure, so that dependent checks still run for the other images
        warn(
          `${name} ${seen}. A pull or copy was interrupted; runs of this image will fail.`,
          `rm ${quoted(path)}   # then pull the image again`,
        ),
      );
    }
  }
  const leftovers = files.filter(
    ({ name, modifiedAt }) =>
      /(^tmp|\.tmp|\.part|\.download|^bundle-temp|^build-temp)/.test(name) && now - modifiedAt > youngMs,
  );
  if (leftovers.length > 0) {
    const some = leftovers.slice(0, 3).map(({ name }) => name);
    findings.push(
      warn(
        `Left by interrupted pulls: ${some.join(', ')}${leftovers.length > 3 ? ', …' : ''}`,
        `rm -r ${some.map((name) => quoted(join(directory, name))).join(' ')}`,
      ),
    );
  }
  return combine(findings);
}

async function examine(directory: string, name: string): Promise<ImageFile[]> {
  const path = join(directory, name);
  const found = await stat(path).catch(() => null);
  if (found === null) return [];
  const facts = { name, size: found.size, modifiedAt: found.mtimeMs };
  if (!found.isFile()) return name.endsWith('.sif') ? [] : [{ ...facts, readable: true, expectedSize: null }];
  try {
    return [{ ...facts, readable: true, expectedSize: (await readSifLength(path)).expectedSize }];
  } catch {
    return [{ ...facts, readable: false, expectedSize: null }];
  }
}

/** The image files; passes the names of usable ones to other checks. */
export const files: Check<'images.files'> = {
  id: 'images.files',
  group: 'images',
  title: 'files',
  needs: ['directories.images'],
  async run({ settings, profile, clock }) {
    const directory = settings.dirs.images ?? '';
    const all = (
      await Promise.all((await readdir(directory)).map((name) => examine(directory, name)))
    ).flat();
    const names = all
      .filter((file) => file.name.endsWith('.sif') && file.readable && !isTruncated(file))
      .map(({ name }) => name);
    const asksGirder = settings.girder.apiUrl !== null && settings.girder.apiKey !== null;
    return { ...judgeFiles(directory, all, clock.now(), { asksGirder, profile }), fact: names.toSorted() };
  },
};
