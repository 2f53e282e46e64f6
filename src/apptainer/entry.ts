import { DsaSlurmError } from '../base/errors.js';
import type { ImageFacts } from './inspect.js';

/** Where a container starts, and with what. */
export interface ImageEntry {
  workingDirectory: string;
  /** The whole command: entry point and arguments. */
  command: string[];
}

export interface EntryRequest {
  /** For errors. */
  image: string;
  facts: ImageFacts;
  /** The operator's fallback for images that say nothing themselves. */
  settings: { workingDirectory: string | null; entrypoint: readonly string[] | null };
  /** What the task asks for instead of the image's own entry point; null: nothing. */
  entrypoint: readonly string[] | null;
  args: readonly string[];
}

/**
 * Decides where a container starts and with which command: the task, then the image, then the settings.
 * @throws DsaSlurmError `image` if nobody says it
 */
export function imageEntry({ image, facts, settings, entrypoint, args }: EntryRequest): ImageEntry {
  const workingDirectory = facts.workingDirectory ?? settings.workingDirectory;
  if (workingDirectory === null) throw saysNothing(image, 'working directory', 'apptainer.workingDirectory');
  const first = entrypoint ?? facts.entrypoint ?? settings.entrypoint;
  if (first === null) throw saysNothing(image, 'entry point', 'apptainer.entrypoint');
  // As docker does: the image's own arguments count only where neither entry point nor arguments are given.
  const rest = args.length === 0 && entrypoint === null ? facts.cmd : args;
  const command = [...first, ...rest];
  if (command.length === 0) {
    throw new DsaSlurmError('image', `Image ${image} has no entry point, and the task names no command.`, {
      next: 'Give the task a command, or the image an entry point.',
    });
  }
  return { workingDirectory, command };
}

/**
 * `HOME` as Docker sets it: what the task or the image names, else the home of the image's user; null for an image that
 * was not made from an OCI image. Without a look into the image, the usual home of that user.
 * @param environment of the task
 */
export function imageHome(
  { oci, inside }: Pick<ImageFacts, 'oci' | 'inside'>,
  environment: Readonly<Record<string, string>>,
): string | null {
  const named = environment['HOME'] ?? oci?.environment['HOME'];
  // a colon would make it the name of a directory of the host
  if (named !== undefined && /^\/[^:\p{Cc}]*$/u.test(named)) return named;
  if (oci === null) return null;
  const user = oci.user.replace(/:.*$/s, '');
  if (inside !== null)
    return inside.home !== null && /^\/[^:\p{Cc}]*$/u.test(inside.home) ? inside.home : '/';
  if (user === '' || user === '0' || user === 'root') return '/root';
  return /^[a-z_][a-z0-9_-]*$/i.test(user) ? `/home/${user}` : '/';
}

function saysNothing(image: string, what: string, setting: string): DsaSlurmError {
  return new DsaSlurmError(
    'image',
    `Image ${image} does not say its ${what}: it has neither a label entry_path nor an OCI config.`,
    {
      next: `Pull it again ("dsa-slurm images pull ${image}"), give it the label entry_path, or set ${setting} in the profile.`,
    },
  );
}
