import * as z from 'zod';

import type { GirderClient } from '../api/client.js';
import { namedDocument } from '../api/documents.js';

/** One CLI of an image, as the image describes it. */
interface CliDescription {
  name: string;
  /** What `text` is written in. */
  type: 'xml' | 'json' | 'yaml';
  text: string;
}

export interface ImageRegistration {
  /** Girder's folder for images. */
  folderId: string;
  /** As requested: `example/small:v1`. */
  image: string;
  labels: Readonly<Record<string, string>>;
  clis: readonly CliDescription[];
}

/**
 * Registers an image in Girder as slicer_cli_web does: a folder for the image, one for its tag, and an item for each CLI
 * (contract, section c). Idempotent.
 *
 * The digest is left empty: Girder would publish it as the name of the image, which does not match a SIF pulled by tag.
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

/** Splits as slicer_cli_web does: at the last `:` after the last `/`, else at `@`. Without either, the tag is `latest`. */
export function splitImage(image: string): { name: string; tag: string } {
  const slash = image.lastIndexOf('/');
  const colon = image.lastIndexOf(':');
  const cut = colon > slash ? colon : image.lastIndexOf('@');
  return cut === -1
    ? { name: image, tag: 'latest' }
    : { name: image.slice(0, cut), tag: image.slice(cut + 1) };
}
