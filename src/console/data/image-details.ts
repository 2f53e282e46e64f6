import { sifFileName } from '../../apptainer/image-name.js';
import type { RunView } from '../../worker/views/handle.js';

/** Groups runs by their image file, newest first. */
export function runsByFile(runs: readonly RunView[]): ReadonlyMap<string, readonly RunView[]> {
  const byFile = new Map<string, RunView[]>();
  const files = new Map<string, string | null>();
  for (const run of runs) {
    const { image } = run;
    if (image === '') continue;
    const file = files.get(image) ?? sifFileOrNull(image);
    files.set(image, file);
    if (file === null) continue;
    const group = byFile.get(file) ?? [];
    group.push(run);
    byFile.set(file, group);
  }
  for (const group of byFile.values()) group.sort((a, b) => b.acceptedAt - a.acceptedAt);
  return byFile;
}

function sifFileOrNull(image: string): string | null {
  try {
    return sifFileName(image);
  } catch {
    return null;
  }
}
