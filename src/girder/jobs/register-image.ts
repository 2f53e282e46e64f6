import * as z from 'zod';

import type { GirderClient } from '../api/client.js';
import { namedDocument } from '../api/documents.js';

/** One CLI of an image, as the image describes it. */
export interface CliDescription {
  name: string;
  /** What `text` is written in. */
  type: 'xml' | 'json' | 'yaml';
  text: string;
}

export interface ImageRegistration {
  /** Girder's folder of images. */
  folderId: string;
  /** As it was asked for: `example/small:v1`. */
  image: string;
  labels: Readonly<Record<string, string>>;
  clis: readonly CliDescription[];
}

/**
 * Makes an image known to Girder: a folder for it, one for its tag, and an item for each CLI, as slicer_cli_web does
 * it (contract, section c). Doing it again changes nothing but what the image itself has changed.
 *
 * No digest is written: Girder would publish it as the name of the image from then on, and a SIF that was pulled by
 * its tag has no such name.
 * @throws GirderError
 */
export async function registerImage(
  client: Pick<GirderClient, 'json'>,
  { folderId, image, labels, clis }: ImageRegistration,
  signal: AbortSignal,
): Promise<void> {
  const folder = async (
    parentId: string,
    name: string,
    description: string,
    metadata: object,
  ): Promise<string> => {
    const form = { parentId, name, reuseExisting: 'true', description, metadata: JSON.stringify(metadata) };
    const { id } = await client.json(namedDocument, {
      method: 'POST',
      path: 'folder',
      form,
      signal,
    });
    return id;
  };
  const { name, tag } = splitImage(image);
  const { description = 'Slicer CLI generated docker image tag folder', ...others } = labels;
  const imageFolder = await folder(folderId, name, 'Slicer CLI generated docker image folder', {
    slicerCLIType: 'image',
  });
  const tagFolder = await folder(imageFolder, tag, description, {
    ...Object.fromEntries(Object.entries(others).map(([key, value]) => [key.replaceAll('.', '_'), value])),
    digest: null,
    slicerCLIType: 'tag',
  });
  for (const cli of clis) {
    await client.json(z.unknown(), {
      method: 'POST',
      path: 'slicer_cli_web/cli',
      form: {
        folder: tagFolder,
        name: cli.name,
        image,
        replace: 'true',
        desc_type: cli.type,
        spec: Buffer.from(cli.text).toString('base64'),
      },
      signal,
    });
  }
}

/** As slicer_cli_web does it: at the last `:` behind the last `/`, else at `@`. Without either the tag is `latest`, as docker has it. */
export function splitImage(image: string): { name: string; tag: string } {
  const slash = image.lastIndexOf('/');
  const colon = image.lastIndexOf(':');
  const cut = colon > slash ? colon : image.lastIndexOf('@');
  return cut === -1
    ? { name: image, tag: 'latest' }
    : { name: image.slice(0, cut), tag: image.slice(cut + 1) };
}
