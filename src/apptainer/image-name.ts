import { DsaSlurmError } from '../base/errors.js';

/**
 * The file name of an image's SIF, as slicer_cli_web chooses it when an admin adds the image: `/` and `:` become `_`, so
 * `example/slurmy:v1` becomes `example_slurmy_v1.sif`.
 *
 * slicer_cli_web refuses names without exactly one colon. They are named by the same rule here: `@` becomes `_` too, and
 * `:latest` is added to an image without a tag, as Docker does.
 * @throws DsaSlurmError `image` for an invalid image name
 */
export function sifFileName(image: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,240}$/.test(image) || /(^|\/)\.{0,2}(\/|$)/.test(image)) {
    const shown = image.replaceAll(/\p{C}/gu, '?').slice(0, 100);
    throw new DsaSlurmError('image', `"${shown}" is not a valid name of a container image.`, {
      next: 'Image names look like example/small:v1.',
    });
  }
  const colons = image.split(':').length - 1;
  if (colons === 1) return `${image.replaceAll(/[/:]/g, '_')}.sif`;
  const tagged = colons === 0 && !image.includes('@') ? `${image}:latest` : image;
  return `${tagged.replaceAll(/[/:@]/g, '_')}.sif`;
}
