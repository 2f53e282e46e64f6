import * as z from 'zod';
import { sifFileName } from '../../../apptainer/image-name.js';
import type { Check, Finding } from '../../check.js';
import { combine, count, ok, quoted, skip, warn } from '../../check-result.js';
import { withGirder } from '../../clients/girder.js';

/** Compares the images that Girder offers with the image files. */
export function judgeImages(
  offered: readonly string[],
  files: readonly string[],
  { directory, profile, major = 3 }: { directory: string; profile: string; major?: number },
): Finding {
  const pull = `dsa-slurm${profile === 'default' ? '' : ` --profile ${profile}`} images pull`;
  const wanted = offered.flatMap((image) => {
    try {
      return [[image, sifFileName(image)] as const];
    } catch {
      return [];
    }
  });
  const missing = wanted.filter(([, file]) => !files.includes(file));
  const orphans = files.filter((file) => !wanted.some(([, name]) => name === file));
  return combine([
    offered.length === 0
      ? warn(
          'Girder offers no images.',
          major === 5
            ? "Add one on Girder's admin page, under Slicer CLI Web; this worker then pulls it."
            : `${pull} <image>   # into ${directory}; then add it on Girder's admin page, under Slicer CLI Web`,
        )
      : ok([
          `Girder offers ${count(offered.length, 'image')}, of which ${offered.length - missing.length} exist here`,
          ...wanted.flatMap(([image, file]) => (files.includes(file) ? [`${file} is ${image}`] : [])),
        ]),
    ...missing.map(([image, file]) =>
      warn(`Girder offers ${image}, but ${file} is missing.`, `${pull} ${quoted(image)}`),
    ),
    ...(orphans.length === 0
      ? []
      : [ok(`not offered by Girder: ${orphans.slice(0, 5).join(', ')}${orphans.length > 5 ? ', …' : ''}`)]),
  ]);
}

/** `{image: {tag: {cli: …}}}` (contract, section k) */
const answer = z.record(z.string(), z.record(z.string(), z.unknown()));

export const images: Check = {
  id: 'girder.images',
  group: 'girder',
  title: 'task images',
  needs: ['girder.token', 'images.files'],
  async run(context) {
    const { settings, needed, signal } = context;
    const admin = needed('girder.token');
    if (admin.isLimited) return skip('the API key has a limited scope');
    const table = await withGirder(context, admin, async (client) =>
      client.json(answer, { method: 'GET', path: 'slicer_cli_web/docker_image', attempts: 1, signal }),
    );
    const offered = Object.entries(table).flatMap(([name, tags]) =>
      Object.keys(tags).map((tag) => `${name}:${tag}`),
    );
    return judgeImages(offered, needed('images.files'), {
      directory: settings.dirs.images ?? '',
      profile: context.profile,
      major: admin.major,
    });
  },
};
