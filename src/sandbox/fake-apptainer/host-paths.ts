import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Bind } from './exec-options.js';
import type { Image } from './image.js';

/**
 * For machines where nothing can be mounted: unpacks the image's files.
 * @returns the host path of each top-level directory
 */
export function unpack(root: string, name: string, image: Image): Bind[] {
  const base = join(root, name);
  for (const [path, file] of Object.entries(image.files)) {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    if (!existsSync(join(base, path))) {
      writeFileSync(join(base, path), file.text, { mode: file.executable ? 0o755 : 0o644 });
    }
  }
  const tops = new Set(Object.keys(image.files).map((path) => `/${path.split('/')[1] ?? ''}`));
  return [...tops].map((top) => ({ source: join(base, top), target: top, readOnly: true }));
}

export function hostPath(text: string, maps: readonly Bind[]): string {
  const map = maps.find(({ target }) => text === target || text.startsWith(`${target}/`));
  return map === undefined ? text : map.source + text.slice(map.target.length);
}
