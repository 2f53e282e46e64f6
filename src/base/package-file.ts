import { fileURLToPath } from 'node:url';

/**
 * Absolute path of a file of this package, such as `templates/probe.slurm`.
 *
 * This module must stay two directories below the package root: as source (`src/base/`), compiled (`build/base/`) and bundled
 * (`dist/chunks/`).
 */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
