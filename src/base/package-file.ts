import { fileURLToPath } from 'node:url';

/**
 * Absolute path of a file of this package, such as `templates/probe.slurm`.
 *
 * The one place that knows where it lies itself: two folders below the root as a source (`src/base/`), as a module
 * (`build/base/`) and in the program that is shipped (`dist/chunks/`).
 */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
