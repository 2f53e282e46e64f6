import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { login, type GirderDocument } from '../../src/sandbox/real-girder/rest.js';
import { startProgram } from '../support/program.js';
import { findChromium, openPage } from './page.js';

const chromium = await findChromium();
if ('why' in chromium) console.log(`${chromium.why} The test is skipped.`);

/** Where the pictures of a test that failed go. */
const pictures = process.env['DSA_SLURM_TEST_PICTURES'];

test.skipIf('why' in chromium)(
  'the demo analysis of `dsa-slurm sandbox --girder 5` is started by mouse, and ends well on the page',
  async () => {
    if ('why' in chromium) throw new Error(chromium.why);
    const parent = await mkdtemp(join(tmpdir(), 'dsa-slurm-browser-'));
    const dir = join(parent, 'sandbox');
    const sandbox = startProgram(['sandbox', '--girder', '5', '--no-console', '--json', '--dir', dir], {
      env: process.env,
    });
    onTestFinished(async () => {
      sandbox.signal('SIGINT');
      await sandbox.ended;
      await rm(parent, { recursive: true, force: true });
    });
    const lines = () => sandbox.stdout().includes('\n');
    const hasEnded = sandbox.ended.then((code) => {
      throw new Error(`The sandbox ended with ${code}:\n${sandbox.stderr()}`);
    });
    await Promise.race([expect.poll(lines, { timeout: 600_000, interval: 300 }).toBe(true), hasEnded]);
    const { url, apiUrl, passwords } = JSON.parse(sandbox.stdout()) as {
      url: string;
      apiUrl: string;
      passwords: { pathologist: string };
    };

    const page = await openPage(chromium.file);
    onTestFinished(page.close);
    try {
      await page.goto(url);
      await page.click('.g-login');
      await page.type('#g-login', 'pathologist');
      await page.type('#g-password', passwords.pathologist);
      await page.click('#g-login-button');
      await page.click('.g-global-nav a', 'Collections');
      await page.click('.g-collection-link', 'Tasks');
      for (const folder of ['Slicer CLI', 'dsa-slurm/demo', 'v1'])
        await page.click('.g-folder-list-link', folder);
      await page.click('.g-item-list-link', 'TissueFraction');

      // the form of the analysis
      await page.click('.input-group:has(#slide) .s-select-file-button');
      await page.click('.modal .g-folder-list-link', 'Private');
      await page.click('.modal .g-item-list-link', 'slide 1.tiff');
      await page.until(
        `['slide', 'result', 'summary', 'mask'].every((id) => document.getElementById(id).value)`,
      );
      await page.click('.s-info-panel-submit', 'Run Task');

      await page.click('.g-user-text a, .g-user-dropdown-link', 'pathologist');
      await page.click('.dropdown-menu a', 'My jobs');
      const cell = `document.querySelector('.g-jobs-list-table .g-job-status-cell')?.innerText`;
      await page.until(`${cell} === 'Success'`, 120_000);
      await page.click('.g-jobs-list-table a', 'Tissue fraction on slide 1.tiff');
      const text = `document.querySelector('#g-app-body-container').innerText`;
      const log = await page.until<string>(
        `/Tissue fraction 0\\.\\d+, \\d+ nuclei/.test(${text}) && ${text}`,
      );
      expect(log).toMatch(/Status: SUCCESS/i);
      expect(log).toContain('Fetching “slide 1.tiff”');
    } catch (error) {
      if (pictures !== undefined) await writeFile(join(pictures, 'sandbox.png'), await page.screenshot());
      throw error;
    }

    // what the page says is so
    const user = await login(apiUrl, 'pathologist', passwords.pathologist);
    const [job, ...others] = await user.call<GirderDocument[]>('GET', 'job');
    expect(others).toEqual([]);
    expect(job?.['status']).toBe(3);
    const { _id: me } = await user.call('GET', 'user/me');
    const params = { parentType: 'user', parentId: me, name: 'Private' };
    const [folder] = await user.call<GirderDocument[]>('GET', 'folder', { params });
    const items = await user.call<GirderDocument[]>('GET', 'item', {
      params: { folderId: folder?._id ?? '' },
    });
    const results = items.map(({ name }) => /-(result|summary|mask)-/.exec(name)?.[1] ?? '').filter(Boolean);
    expect(results.toSorted()).toEqual(['mask', 'result', 'summary']);
  },
  900_000,
);
