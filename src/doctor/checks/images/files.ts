import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isTruncated, readSifLength } from '../../../apptainer/sif-header.js';
import type { Check, Finding } from '../../check.js';
import { bytes, combine, count, ok, quoted, warn } from '../../check-result.js';

/** What is known of one file in the images directory. */
export interface ImageFile {
  name: string;
  size: number;
  readable: boolean;
  /** Minimum size of the complete file, in bytes; null if it is not a SIF. */
  expectedSize: number | null;
  modifiedAt: number;
}

/** A pull in progress writes to its file. */
const youngMs = 10 * 60_000;

/**
 * Sorts files into images and rubble. Pure.
 * @param options.asksGirder another check compares them with what Girder offers, and knows what to do
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
      ? ok(`no image in ${directory} yet`)
      : sifs.length === 0
        ? warn(
            `There is no image in ${directory}.`,
            `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} images pull example/small:v1   # with your image`,
          )
        : ok(
            `${count(sifs.length, 'image')} in ${directory}, ${bytes(sifs.reduce((sum, { size }) => sum + size, 0))}`,
          ),
  ];
  for (const { name, size, readable, expectedSize, modifiedAt } of sifs) {
    const path = join(directory, name);
    if (!readable) findings.push(warn(`${name} cannot be read by this user.`, `chmod go+r ${quoted(path)}`));
    else if (now - modifiedAt > youngMs && (expectedSize === null || isTruncated({ size, expectedSize }))) {
      const seen =
        expectedSize === null
          ? `is not a SIF (${bytes(size)})`
          : `is cut short: ${size} of ${expectedSize} bytes are there`;
      findings.push(
        // no failure: the checks that need this one have to judge the other images
        warn(
          `${name} ${seen}. A pull or a copy of it was interrupted; runs of this image fail.`,
          `rm ${quoted(path)}   # then pull the image again`,
        ),
      );
    }
  }
  const rubble = files.filter(
    ({ name, modifiedAt }) =>
      /(^tmp|\.tmp|\.part|\.download|^bundle-temp|^build-temp)/.test(name) && now - modifiedAt > youngMs,
  );
  if (rubble.length > 0) {
    const some = rubble.slice(0, 3).map(({ name }) => name);
    findings.push(
      warn(
        `Left by pulls that broke off: ${some.join(', ')}${rubble.length > 3 ? ', …' : ''}`,
        `rm -r ${some.map((name) => quoted(join(directory, name))).join(' ')}`,
      ),
    );
  }
  return combine(findings);
}

async function look(directory: string, name: string): Promise<ImageFile[]> {
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

/** The images that there are; names for the others. */
export const files: Check = {
  id: 'images.files',
  group: 'images',
  title: 'files',
  needs: ['directories.images'],
  async run({ settings, profile, clock }) {
    const directory = settings.dirs.images ?? '';
    const all = (await Promise.all((await readdir(directory)).map((name) => look(directory, name)))).flat();
    const names = all
      .filter((file) => file.name.endsWith('.sif') && file.readable && !isTruncated(file))
      .map(({ name }) => name);
    const asksGirder = settings.girder.apiUrl !== null && settings.girder.apiKey !== null;
    return { ...judgeFiles(directory, all, clock.now(), { asksGirder, profile }), fact: names.toSorted() };
  },
};
