import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { FakeImage } from '../images.js';
import { fatal } from './common.js';

/** Marks a JSON file as an image of the fake Apptainer. */
export const imageFormat = 'dsa-slurm fake image 1';

export type Image = FakeImage & { format: string };

export function readImage(file: string): Image {
  try {
    const image = JSON.parse(readFileSync(file, 'utf8')) as Image;
    if (image.format === imageFormat) return image;
  } catch {
    // reported below
  }
  return fatal(`could not open image ${resolve(file)}: image format not recognized`);
}

export function configText(image: Image): string {
  return JSON.stringify(image.config);
}

export function metadataText(image: Image): string {
  return JSON.stringify({ data: { attributes: { labels: image.labels } }, type: 'container' });
}
