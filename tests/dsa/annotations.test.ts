import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { GirderDocument } from '../../src/sandbox/real-girder/rest.js';
import { findChromium, openPage, type Page } from '../browser/page.js';
import { logOf, openRig, status, statusesOf, type Job, type Rig } from '../girder/support/rig.js';
import { histomicsTkImage } from './support/histomicstk.js';
import { testGirder } from '../girder/support/test-girder.js';

const { passwords, url } = testGirder();
const histomicsTk = inject('histomicsTk');

let rig: Rig;
let slideContent: Buffer;
/** Of the nuclei that were drawn. */
let centers: [x: number, y: number][];

beforeAll(async () => {
  rig = await openRig({ image: histomicsTkImage(histomicsTk), binds: histomicsTk.directories });
  const file = join(rig.dir, 'slide.tiff');
  const script = fileURLToPath(new URL('support/slide.py', import.meta.url));
  const drawn = await rig.command(histomicsTk.python, [script, file], { timeoutMs: 120_000 });
  if (drawn.kind !== 'exited' || drawn.exitCode !== 0) throw new Error(JSON.stringify(drawn));
  centers = JSON.parse(drawn.stdout) as typeof centers;
  slideContent = await readFile(file);
});

afterAll(async () => {
  await rig.close();
});

interface Element {
  type: string;
  center: [x: number, y: number, z: number];
}

interface Annotation extends GirderDocument {
  itemId: string;
  creatorId: string;
  annotation: { name: string; elements: Element[] };
}

/** Uploads the slide, and waits until Girder serves tiles of it. */
async function uploadSlide(folder: string, name: string): Promise<{ _id: string; itemId: string }> {
  const file = await rig.user.upload(folder, name, slideContent);
  await rig.until(async () => {
    const item = await rig.user.call('GET', `item/${file.itemId}`);
    return item['largeImage'] !== undefined;
  });
  return file;
}

const annotationsOf = (itemId: string): Promise<Annotation[]> =>
  rig.user.call('GET', 'annotation', { params: { itemId } });

/** What the pathologist chooses; everything else is HistomicsTK's default. */
const parameters = {
  analysis_roi: '[64, 64, 896, 896]',
  // FerretDB stores no nested arrays, which boundaries have.
  nuclei_annotation_format: 'bbox',
  num_workers: 1,
  num_threads_per_worker: 1,
};

const detect = (input: string, folder: string, more: Readonly<Record<string, string>> = {}): Promise<Job> =>
  rig.run('NucleiDetection', {
    inputImageFile: input,
    outputNucleiAnnotationFile: 'nuclei.anot',
    outputNucleiAnnotationFile_folder: folder,
    ...parameters,
    ...more,
  });

async function succeeded(job: Job): Promise<Job> {
  const ended = await rig.ended(job, 240_000);
  if (ended.status !== status.success) throw new Error(`status ${ended.status}:\n${logOf(ended)}`);
  return ended;
}

/** How many of the drawn nuclei have an element of the annotation at their place. */
function found({ annotation: { elements } }: Annotation): number {
  return centers.filter(([x, y]) =>
    elements.some(({ center }) => Math.hypot(center[0] - x, center[1] - y) < 6),
  ).length;
}

test('the nine analyses of HistomicsTK are registered', async () => {
  const clis = await rig.user.call<GirderDocument[]>('GET', 'slicer_cli_web/cli');
  expect(clis.map(({ name }) => name)).toContain('NucleiDetection');
  expect(clis).toHaveLength(9);
});

test('without a worker for `local` the doctor names the annotation that waits', async () => {
  await rig.girder('local', 'stop');
  const folder = await rig.folder('slides');
  const slide = await uploadSlide(folder, 'waiting.tiff');
  await succeeded(await detect(slide._id, folder));
  await rig.until(async () => {
    const { stdout } = await rig.program('doctor', '--json', '--only', 'rabbitmq.local');
    const { checks } = JSON.parse(stdout) as {
      checks: { id: string; status: string; evidence: string[] }[];
    };
    const local = checks.find(({ id }) => id === 'rabbitmq.local');
    return local?.status === 'warn' && local.evidence.join(' ').includes('processAnnotationsTask');
  });
  expect(await annotationsOf(slide.itemId)).toEqual([]);
  await rig.girder('local');
  const [annotation] = await rig.until(async () => {
    const all = await annotationsOf(slide.itemId);
    return all.length > 0 ? all : null;
  });
  expect(annotation?.annotation.name).toContain('nuclei');
});

const chromium = await findChromium();

/** Where a picture of the slide's page goes. */
const pictures = process.env['DSA_SLURM_TEST_PICTURES'];

/** How many pixels of the page have the color of HistomicsTK's rectangles. */
async function greenPixels(page: Page): Promise<number> {
  const picture = (await page.screenshot()).toString('base64');
  return page.evaluate(`(async () => {
    const answer = await fetch('data:image/png;base64,${picture}');
    const bitmap = await createImageBitmap(await answer.blob());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4)
      if (data[at] < 90 && data[at + 1] > 180 && data[at + 2] < 90) count += 1;
    return count;
  })()`);
}

describe('with a worker for `local`', () => {
  beforeAll(async () => {
    await rig.girder('local');
  });

  test('nuclei that HistomicsTK detects are annotations of the pathologist on the slide', async () => {
    const folder = await rig.folder('slides');
    const slide = await uploadSlide(folder, 'slide.tiff');
    const ended = await succeeded(await detect(slide._id, folder));
    expect(statusesOf(ended)).toEqual([status.running, status.success]);
    expect(logOf(ended)).toContain('Number of nuclei');
    const [listed] = await rig.until(async () => {
      const all = await annotationsOf(slide.itemId);
      return all.length > 0 ? all : null;
    });
    const annotation = await rig.user.call<Annotation>('GET', `annotation/${listed?._id ?? ''}`);
    const { _id: me } = await rig.user.call('GET', 'user/me');
    expect(annotation).toMatchObject({ itemId: slide.itemId, creatorId: me });
    expect(annotation.annotation.elements.every(({ type }) => type === 'rectangle')).toBe(true);
    expect(found(annotation)).toBeGreaterThan(centers.length * 0.9);
  });

  test('a batch: each slide gets its own annotation, once', async () => {
    const folder = await rig.folder('slides');
    const slides = await Promise.all([1, 2, 3].map((number) => uploadSlide(folder, `batch ${number}.tiff`)));
    const batch = await detect('batch.*tiff', folder, {
      inputImageFile_folder: folder,
      outputNucleiAnnotationFile: '{{reference_base}}-nuclei.anot',
    });
    await succeeded(batch);
    for (const { itemId } of slides)
      await rig.until(async () => (await annotationsOf(itemId)).length > 0, 240_000);
    for (const { itemId } of slides) expect(await annotationsOf(itemId)).toHaveLength(1);
    expect(Object.keys(await rig.files(folder)).filter((name) => name.endsWith('.anot'))).toEqual([
      'batch 1-nuclei.anot',
      'batch 2-nuclei.anot',
      'batch 3-nuclei.anot',
    ]);
  });

  test('an analysis that fails: Python says why in the log, and no annotation appears', async () => {
    const folder = await rig.folder('slides');
    const slide = await uploadSlide(folder, 'failing.tiff');
    const ended = await rig.ended(await detect(slide._id, folder, { reference_mu_lab: '[1, 2]' }), 240_000);
    expect(ended.status).toBe(status.error);
    expect(logOf(ended).split('Reference Mean LAB should be a 3 element vector.')).toHaveLength(2);
    expect(logOf(ended)).toContain('exit code 1');
    expect(await annotationsOf(slide.itemId)).toEqual([]);
  });

  test('Girder’s page shows the slide and its annotation', async ({ skip }) => {
    if ('why' in chromium) return skip(chromium.why);
    const folder = await rig.folder('slides');
    const slide = await uploadSlide(folder, 'shown.tiff');
    await succeeded(await detect(slide._id, folder));
    await rig.until(async () => (await annotationsOf(slide.itemId)).length > 0);
    const page = await openPage(chromium.file);
    onTestFinished(page.close);
    await page.goto(url);
    await page.click('.g-login');
    await page.type('#g-login', 'pathologist');
    await page.type('#g-password', passwords.pathologist);
    await page.click('#g-login-button');
    await page.until(`document.querySelector('.g-user-text')?.innerText.includes('pathologist')`);
    await page.goto(`${url}/#item/${slide.itemId}`);
    await page.until(`document.querySelector('.g-annotation-row')?.innerText.includes('nuclei')`);
    await page.click('.g-annotation-row .g-annotation-toggle-select');
    await page.until(`document.querySelector('.g-annotation-toggle-select .icon-eye')`);
    await rig.until(async () => (await greenPixels(page)) > centers.length * 10);
    if (pictures !== undefined) await writeFile(join(pictures, 'annotation.png'), await page.screenshot());
  });
});
