import { join } from 'node:path';

import { sifFileName } from '../../apptainer/image-name.js';
import type { ImageFacts } from '../../apptainer/inspect.js';
import { DsaSlurmError } from '../../base/errors.js';
import type { WorkerServices } from '../worker-services.js';

/**
 * The SIF of an image and what it says about itself.
 * @throws DsaSlurmError `image` if the file is missing or unreadable; `config` if there is nowhere to look for it.
 */
export async function findImage(
  image: string,
  { settings, apptainer }: WorkerServices,
): Promise<{ sif: string; facts: ImageFacts }> {
  const sif = join(
    requireDirectory(settings.dirs.images, 'dirs.images', 'SIF_IMAGE_PATH'),
    sifFileName(image),
  );
  return { sif, facts: await apptainer.probe(image, sif) };
}

/** A directory that must have been configured. */
export function requireDirectory(value: string | null, key: string, legacyName: string): string {
  if (value !== null) return value;
  throw new DsaSlurmError('config', `This worker has no ${key}.`, {
    next: `Set it with 'dsa-slurm config set ${key} <directory>' or the environment variable ${legacyName}.`,
  });
}
