/**
 * The demo analysis: reads an uncompressed RGB TIFF, tells tissue from glass by Otsu's threshold, and counts dark blobs
 * of the size of nuclei. It imports only Node's own modules, because its text goes into the demo image; the
 * sandbox imports `analyze` from it to verify the results.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface Pixels {
  width: number;
  height: number;
  /** R, G, B, row by row from the top. */
  rgb: Uint8Array;
}

export interface Measurement {
  width: number;
  height: number;
  /** Otsu's threshold on luminance: darker is tissue. */
  threshold: number;
  /** 0..1 */
  tissueFraction: number;
  /** Of the tissue. */
  meanColor: [number, number, number];
  nuclei: number;
}

/** @throws Error that says what is wrong with the file */
export function readTiff(bytes: Uint8Array): Pixels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) throw new Error('the file is too short for a TIFF');
  const order = String.fromCharCode(bytes[0] ?? 0, bytes[1] ?? 0);
  if (order !== 'II' && order !== 'MM') throw new Error('the file does not start like a TIFF');
  const little = order === 'II';
  if (view.getUint16(2, little) !== 42) throw new Error('the file is not a classic TIFF');
  try {
    const tags = readTags(view, little);
    const one = (tag: number) => tags.get(tag)?.[0];
    const [width = 0, height = 0] = [one(256), one(257)];
    if (one(259) !== 1) throw new RangeError('it is compressed');
    if (one(262) !== 2 || one(277) !== 3) throw new RangeError('it is not RGB');
    const rgb = new Uint8Array(width * height * 3);
    let filled = 0;
    (tags.get(273) ?? []).forEach((offset, index) => {
      const length = tags.get(279)?.[index] ?? 0;
      if (offset + length > bytes.length) throw new RangeError('a part of it is missing');
      rgb.set(bytes.subarray(offset, offset + length), filled);
      filled += length;
    });
    if (filled !== rgb.length) throw new RangeError('its strips do not fill the image');
    return { width, height, rgb };
  } catch (error) {
    throw new Error(`the TIFF cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function readTags(view: DataView, little: boolean): Map<number, number[]> {
  const tags = new Map<number, number[]>();
  const directory = view.getUint32(4, little);
  if (directory + 2 > view.byteLength) throw new RangeError('a part of it is missing');
  const count = view.getUint16(directory, little);
  for (let entry = 0; entry < count; entry += 1) {
    const at = directory + 2 + entry * 12;
    const [type, number] = [view.getUint16(at + 2, little), view.getUint32(at + 4, little)];
    const size = type === 3 ? 2 : type === 4 ? 4 : 0;
    if (size === 0) continue;
    const from = size * number <= 4 ? at + 8 : view.getUint32(at + 8, little);
    const values = Array.from({ length: Math.min(number, 1_000_000) }, (_, index) =>
      size === 2 ? view.getUint16(from + index * 2, little) : view.getUint32(from + index * 4, little),
    );
    tags.set(view.getUint16(at, little), values);
  }
  return tags;
}

export function analyze({ width, height, rgb }: Pixels): { measurement: Measurement; mask: Uint8Array } {
  const gray = new Uint8Array(width * height);
  const histogram = Array.from({ length: 256 }, () => 0);
  for (let pixel = 0; pixel < gray.length; pixel += 1) {
    const [red = 0, green = 0, blue = 0] = rgb.subarray(pixel * 3, pixel * 3 + 3);
    const value = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    gray[pixel] = value;
    histogram[value] = (histogram[value] ?? 0) + 1;
  }
  const threshold = otsu(histogram, gray.length);
  const mask = gray.map((value) => (value <= threshold ? 255 : 0));
  const sum = [0, 0, 0];
  let tissue = 0;
  mask.forEach((inside, pixel) => {
    if (inside === 0) return;
    tissue += 1;
    for (let channel = 0; channel < 3; channel += 1) {
      sum[channel] = (sum[channel] ?? 0) + (rgb[pixel * 3 + channel] ?? 0);
    }
  });
  const mean = (channel: number) => Math.round(((sum[channel] ?? 0) / Math.max(1, tissue)) * 100) / 100;
  const measurement: Measurement = {
    width,
    height,
    threshold,
    tissueFraction: Math.round((tissue / Math.max(1, gray.length)) * 1e6) / 1e6,
    meanColor: [mean(0), mean(1), mean(2)],
    nuclei: countBlobs(gray, width, 115, 12, 400),
  };
  return { measurement, mask };
}

/** The gray value that separates two classes with the largest variance between them. */
function otsu(histogram: readonly number[], total: number): number {
  const all = histogram.reduce((sum, count, value) => sum + count * value, 0);
  let [best, bestVariance, below, sumBelow] = [0, -1, 0, 0];
  for (let value = 0; value < 256; value += 1) {
    below += histogram[value] ?? 0;
    sumBelow += value * (histogram[value] ?? 0);
    const above = total - below;
    if (below === 0 || above === 0) continue;
    const difference = sumBelow / below - (all - sumBelow) / above;
    const variance = below * above * difference * difference;
    if (variance > bestVariance) [best, bestVariance] = [value, variance];
  }
  return best;
}

/** Connected dark regions (4 neighbours) whose area in pixels is that of a nucleus. */
function countBlobs(gray: Uint8Array, width: number, dark: number, least: number, most: number): number {
  const seen = new Uint8Array(gray.length);
  const stack: number[] = [];
  let count = 0;
  const visit = (pixel: number) => {
    if (seen[pixel] === 1 || (gray[pixel] ?? 255) > dark) return;
    seen[pixel] = 1;
    stack.push(pixel);
  };
  for (let start = 0; start < gray.length; start += 1) {
    visit(start);
    let area = 0;
    for (let pixel = stack.pop(); pixel !== undefined; pixel = stack.pop()) {
      area += 1;
      const column = pixel % width;
      if (column > 0) visit(pixel - 1);
      if (column < width - 1) visit(pixel + 1);
      if (pixel >= width) visit(pixel - width);
      if (pixel + width < gray.length) visit(pixel + width);
    }
    if (area >= least && area <= most) count += 1;
  }
  return count;
}

function write(text: string): void {
  process.stdout.write(text);
}

/** The CLI's XML for slicer_cli_web: its form in Girder and the order of its arguments. */
export const description = `<?xml version="1.0" encoding="UTF-8"?>
<executable>
<category>Demo</category>
<title>Tissue fraction</title>
<description>Finds the tissue on a slide and counts nuclei.</description>
<version>1</version>
<documentation-url></documentation-url>
<license>Apache-2.0</license>
<contributor>dsa-slurm</contributor>
<acknowledgements></acknowledgements>
<parameters>
<label>Slide and results</label>
<description>Slide and results</description>
<file><name>slide</name><label>Slide</label><description>An uncompressed RGB TIFF</description><channel>input</channel><index>0</index></file>
${[
  ['result', 'json'],
  ['summary', 'csv'],
  ['mask', 'pgm'],
]
  .map(
    ([name, extension], index) =>
      `<file fileExtensions=".${extension}" reference="slide"><name>${name}</name><label>${name}</label><description>${name}</description><channel>output</channel><index>${index + 1}</index></file>`,
  )
  .join('\n')}
<integer><name>seconds</name><label>Seconds</label><description>How long it takes</description><longflag>seconds</longflag><default>10</default></integer>
</parameters>
</executable>
`;

/** `[--seconds n] <input.tiff> <result.json> <summary.csv> <mask.pgm>` */
async function main(args: string[]): Promise<void> {
  if (args[0] === '--xml') return write(description);
  const seconds = args[0] === '--seconds' ? Number(args.splice(0, 2)[1]) : 0;
  const [input = '', result = '', summary = '', mask = ''] = args;
  write('<filter-start><filter-name>TissueFraction</filter-name>');
  write('<filter-comment>Tissue fraction and nuclei</filter-comment></filter-start>\n');
  write(`Reading ${basename(input)}\n`);
  const steps = 20;
  for (let step = 1; step < steps; step += 1) {
    // Makes the run long enough to watch: the computation itself is very fast.
    await delay((seconds * 1_000) / steps);
    write(`<filter-progress>${step / steps}</filter-progress>\n`);
    if (step % 5 === 0) write(`Part ${step} of ${steps} done\n`);
  }
  const { measurement, mask: pixels } = analyze(readTiff(readFileSync(input)));
  writeFileSync(result, `${JSON.stringify({ image: basename(input), ...measurement }, null, 2)}\n`);
  const row = [measurement.width, measurement.height, measurement.tissueFraction, measurement.nuclei];
  writeFileSync(summary, `width,height,tissue_fraction,nuclei\n${row.join(',')}\n`);
  const head = Buffer.from(`P5\n${measurement.width} ${measurement.height}\n255\n`);
  writeFileSync(mask, Buffer.concat([head, pixels]));
  write('<filter-progress>1</filter-progress>\n');
  write(`Tissue fraction ${measurement.tissueFraction}, ${measurement.nuclei} nuclei\n`);
  write('<filter-end><filter-name>TissueFraction</filter-name><filter-time>0</filter-time></filter-end>\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`TissueFraction: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 3;
  }
}
