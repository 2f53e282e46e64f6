import { join } from 'node:path';

import { sifFileName } from '../../apptainer/image-name.js';
import type { Apptainer } from '../../apptainer/inspect.js';
import type { Clock } from '../../base/clock.js';
import { errorLine } from '../../base/errors.js';
import { readdir, stat } from '../../base/files/network-fs.js';
import type { RunStore } from '../run-state/run-store.js';
import type { ImageDetail, ImageRow, ImagesView } from './live-views.js';
import { createPolledWatch, type Watch } from './watch.js';

const everyMs = 30_000;

/**
 * The SIF files of `dirs.images`.
 * @param maxImages maximum number of listed files; `unlisted` counts the others
 */
export function watchImages(
  directory: string | null,
  runStore: RunStore,
  clock: Clock,
  maxImages = 2_000,
): Watch<ImagesView> {
  return createPolledWatch<ImagesView>({
    first: { directory, rows: [], at: null, problem: directory === null ? 'dirs.images is not set.' : null },
    async ask(last) {
      if (directory === null) return last;
      const files = (await readdir(directory))
        .map(({ name }) => name)
        .filter(isSif)
        .sort();
      const inUse = usesOf(runStore);
      const rows: ImageRow[] = [];
      for (const file of files.slice(0, maxImages)) {
        // it may just be replaced
        const found = await stat(join(directory, file)).catch(() => null);
        if (found === null || !found.isFile()) continue;
        rows.push({ file, bytes: found.size, modifiedAt: found.mtimeMs, inUse: inUse.get(file) ?? 0 });
      }
      const unlisted = files.length - maxImages;
      return { directory, rows, at: clock.now(), problem: null, ...(unlisted > 0 ? { unlisted } : {}) };
    },
    everyMs,
    clock,
  });
}

function usesOf(runStore: RunStore): Map<string, number> {
  const uses = new Map<string, number>();
  for (const { stage, description } of runStore.all()) {
    if (stage === 'finished' || description.image === '') continue;
    const file = fileOf(description.image);
    if (file !== null) uses.set(file, (uses.get(file) ?? 0) + 1);
  }
  return uses;
}

function fileOf(image: string): string | null {
  try {
    return sifFileName(image);
  } catch {
    return null;
  }
}

/** Inspects an image file. Errors are in the result. */
export async function describeImage(
  file: string,
  directory: string | null,
  apptainer: Pick<Apptainer, 'inspect'>,
): Promise<ImageDetail> {
  if (directory === null) return { ok: false, message: 'dirs.images is not set.' };
  if (!isSif(file)) return { ok: false, message: 'That is not the name of an image file.' };
  try {
    return { ok: true, facts: await apptainer.inspect(file, join(directory, file)) };
  } catch (error) {
    return { ok: false, message: errorLine(error) };
  }
}

function isSif(name: string): boolean {
  return /^[^/\0]+\.sif$/.test(name) && !name.startsWith('.');
}
