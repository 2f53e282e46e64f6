import { join } from 'node:path';

import { sifFileName } from '../../apptainer/image-name.js';
import type { ImageFacts } from '../../apptainer/inspect.js';
import { DsaSlurmError } from '../../base/errors.js';
import type { Services } from '../worker-services.js';

/**
 * Finds the SIF of an image and reads its properties.
 * @throws DsaSlurmError `image` if the file is missing or unreadable; `config` if `dirs.images` is not set
 */
export async function findImage(
  image: string,
  { settings, apptainer }: Services<'settings' | 'apptainer'>,
): Promise<{ sif: string; facts: ImageFacts }> {
  const sif = join(
    requireDirectory(settings.dirs.images, 'dirs.images', 'SIF_IMAGE_PATH'),
    sifFileName(image),
  );
  return { sif, facts: await apptainer.probe(image, sif) };
}

/** Returns a configured directory. @throws DsaSlurmError `config` if it is not set */
export function requireDirectory(value: string | null, key: string, legacyName: string): string {
  if (value !== null) return value;
  throw new DsaSlurmError('config', `This worker has no ${key}.`, {
    next: `Set it with 'dsa-slurm config set ${key} <directory>' or the environment variable ${legacyName}.`,
  });
}
