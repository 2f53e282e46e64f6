import { sifFileName } from '../../apptainer/image-name.js';
import type { RunView } from '../../worker/views/handle.js';
import type { ImageDetail, ImageRow } from '../../worker/views/live-views.js';

/** What image files said of themselves, by name; each counts as long as its file is the one that was asked. */
export type ImageDetails = ReadonlyMap<string, { modifiedAt: number; detail: ImageDetail }>;

/** Runs by the file of their image, the newest first. */
export function runsByFile(runs: readonly RunView[]): ReadonlyMap<string, readonly RunView[]> {
  const byFile = new Map<string, RunView[]>();
  const files = new Map<string, string | null>();
  for (const run of runs) {
    const { image } = run;
    if (image === '') continue;
    const file = files.get(image) ?? fileOf(image);
    files.set(image, file);
    if (file === null) continue;
    const group = byFile.get(file) ?? [];
    group.push(run);
    byFile.set(file, group);
  }
  for (const group of byFile.values()) group.sort((a, b) => b.acceptedAt - a.acceptedAt);
  return byFile;
}

function fileOf(image: string): string | null {
  try {
    return sifFileName(image);
  } catch {
    return null;
  }
}

/** What is known of a file; null where nothing is, or where it was replaced since. */
export function detailOf(details: ImageDetails, { file, modifiedAt }: ImageRow): ImageDetail | null {
  const known = details.get(file);
  return known?.modifiedAt === modifiedAt ? known.detail : null;
}
