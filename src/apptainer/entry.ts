import { DsaSlurmError } from '../base/errors.js';
import type { ImageFacts } from './inspect.js';

/** Working directory and command of a container. */
interface ContainerEntry {
  workingDirectory: string;
  /** Entry point and arguments. */
  command: string[];
}

interface EntryRequest {
  /** Name of the image, for errors. */
  image: string;
  facts: ImageFacts;
  /** The operator's fallback for images without these facts. */
  settings: { workingDirectory: string | null; entrypoint: readonly string[] | null };
  /** The task's entry point, which overrides the image's; null: none. */
  entrypoint: readonly string[] | null;
  args: readonly string[];
}

/**
 * Determines working directory and command of a container. The task takes precedence over the image, the image over the
 * settings.
 * @throws DsaSlurmError `image` if none of them has a value
 */
export function containerEntry({ image, facts, settings, entrypoint, args }: EntryRequest): ContainerEntry {
  const workingDirectory = facts.workingDirectory ?? settings.workingDirectory;
  if (workingDirectory === null) throw missing(image, 'working directory', 'apptainer.workingDirectory');
  const first = entrypoint ?? facts.entrypoint ?? settings.entrypoint;
  if (first === null) throw missing(image, 'entry point', 'apptainer.entrypoint');
  // like Docker, use the image's own arguments only if the task gives neither entry point nor arguments
  const rest = args.length === 0 && entrypoint === null ? facts.cmd : args;
  const command = [...first, ...rest];
  if (command.length === 0) {
    throw new DsaSlurmError('image', `Image ${image} has no entry point, and the task gives no command.`, {
      next: 'Add a command to the task, or an entry point to the image.',
    });
  }
  return { workingDirectory, command };
}

/**
 * `HOME` as Docker sets it: from the task or the image, else the home directory of the image's user; null for an image that
 * was not built from an OCI image. If the image was not probed, the usual home directory of that user.
 * @param environment of the task
 */
export function containerHome(
  { oci, inside }: Pick<ImageFacts, 'oci' | 'inside'>,
  environment: Readonly<Record<string, string>>,
): string | null {
  const named = environment['HOME'] ?? oci?.environment['HOME'];
  // after a colon the runtime would expect a path on the host
  if (named !== undefined && /^\/[^:\p{Cc}]*$/u.test(named)) return named;
  if (oci === null) return null;
  const user = oci.user.replace(/:.*$/s, '');
  if (inside !== null)
    return inside.home !== null && /^\/[^:\p{Cc}]*$/u.test(inside.home) ? inside.home : '/';
  if (user === '' || user === '0' || user === 'root') return '/root';
  return /^[a-z_][a-z0-9_-]*$/i.test(user) ? `/home/${user}` : '/';
}

function missing(image: string, what: string, setting: string): DsaSlurmError {
  return new DsaSlurmError(
    'image',
    `Image ${image} has no ${what}: it has neither the label entry_path nor an OCI config.`,
    {
      next: `Pull it again ("dsa-slurm images pull ${image}"), add the label entry_path to it, or set ${setting} in the profile.`,
    },
  );
}
