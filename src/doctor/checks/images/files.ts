import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Check, Finding } from '../../check.js';
import { bytes, combine, count, ok, quoted, warn } from '../../finding.js';

/** What is known of one file in the images directory. */
export interface ImageFile {
  name: string;
  size: number;
  readable: boolean;
  /** It begins as a SIF does: `SIF_MAGIC` after a launch line of 32 bytes (SIF's own global header). */
  isSif: boolean;
  modifiedAt: number;
}

/** A pull in progress writes to its file. */
const youngMs = 10 * 60_000;

/** Sorts files into images and rubble. Pure. */
export function judgeFiles(directory: string, files: readonly ImageFile[], now: number): Finding {
  const sifs = files.filter(({ name }) => name.endsWith('.sif'));
  const findings: Finding[] = [
    sifs.length === 0
      ? warn(
          `There is no image in ${directory}.`,
          `apptainer pull ${quoted(join(directory, 'example_small_v1.sif'))} docker://example/small:v1   # with your image`,
        )
      : ok(
          `${count(sifs.length, 'image')} in ${directory}, ${bytes(sifs.reduce((sum, { size }) => sum + size, 0))}`,
        ),
  ];
  for (const { name, size, readable, isSif, modifiedAt } of sifs) {
    const path = join(directory, name);
    if (!readable) findings.push(warn(`${name} cannot be read by this user.`, `chmod go+r ${quoted(path)}`));
    else if (!isSif && now - modifiedAt > youngMs) {
      findings.push(
        warn(
          `${name} is no complete SIF (${bytes(size)}): a pull broke off.`,
          `rm ${quoted(path)}   # and add the image in Girder again`,
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
  if (!found.isFile()) return name.endsWith('.sif') ? [] : [{ ...facts, readable: true, isSif: false }];
  try {
    const file = await open(path, 'r');
    try {
      const buffer = Buffer.alloc(48);
      await file.read(buffer, 0, buffer.length, 0);
      return [
        { ...facts, readable: true, isSif: buffer.subarray(32, 41).toString('latin1') === 'SIF_MAGIC' },
      ];
    } finally {
      await file.close();
    }
  } catch {
    return [{ ...facts, readable: false, isSif: false }];
  }
}

/** The images that there are; names for the others. */
export const files: Check = {
  id: 'images.files',
  group: 'images',
  title: 'files',
  needs: ['directories.images'],
  async run({ settings, clock }) {
    const directory = settings.dirs.images ?? '';
    const all = (await Promise.all((await readdir(directory)).map((name) => look(directory, name)))).flat();
    const names = all
      .filter(({ name, readable }) => name.endsWith('.sif') && readable)
      .map(({ name }) => name);
    return { ...judgeFiles(directory, all, clock.now()), fact: names.toSorted() };
  },
};
