import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { logOf, openRig, status, type Rig } from './support/rig.js';

let rig: Rig;

// slicer_cli_web saves each job whole, half a second after it has published it: see girder_patches.py.
beforeAll(async () => {
  rig = await openRig();
  await rig.girder('kill');
  await rig.girder('start', JSON.stringify({ SANDBOX_LATE_SAVE_SECONDS: '0.5' }));
});

afterEach(async () => {
  await rig.partition('UP');
});

afterAll(async () => {
  await rig.girder('kill');
  await rig.girder('start');
  await rig.close();
});

test('a pending run is shown as running, and a batch continues', async () => {
  await rig.partition('DOWN');
  const [slides, folder] = [await rig.folder('slides'), await rig.folder('results')];
  for (const number of [1, 2, 3]) await rig.user.upload(slides, `slide ${number}.tiff`, `content ${number}`);
  const batch = await rig.run('Copy', {
    input: 'slide.*tiff',
    input_folder: slides,
    output: '{{parameter_input_base}}.txt',
    output_folder: folder,
  });
  // It schedules the next one only when the one before is running.
  await rig.until(async () => logOf(await rig.job(batch)).includes('3/3'), 40_000);
  await rig.partition('UP');
  expect((await rig.ended(batch)).status).toBe(status.success);
  await rig.until(async () => Object.keys(await rig.files(folder)).length === 3);
});

test('a run that fails at once has the reason in its log', async () => {
  const { _id: input } = await rig.slide('no tissue');
  const job = await rig.run('Fail', { input, code: 3 });
  await rig.ended(job);
  // It may be over before Girder saves: what that overwrites comes back with the check ten seconds after the start.
  const whole = await rig.until(async () => {
    const now = await rig.job(job);
    return now.status === status.error && logOf(now).startsWith('Fetching “slide.tiff”') ? now : null;
  });
  expect(logOf(whole).split('the slide has no tissue')).toHaveLength(2);
  // a save between RUNNING and ERROR removes RUNNING from the history; a batch waits only for a job that is INACTIVE or QUEUED
});

test('the log of a run is complete', async () => {
  const { job } = await rig.copy('content');
  const ended = await rig.ended(job);
  expect(ended.status).toBe(status.success);
  expect(logOf(ended)).toMatch(/^Fetching “slide\.tiff”/);
  expect(logOf(ended).split('copying 7 bytes')).toHaveLength(2);
});
