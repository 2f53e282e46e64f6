import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { login, type GirderDocument } from '../../src/sandbox/real-girder/rest.js';
import { startProgram } from '../support/program.js';
import { testSite } from '../support/test-site.js';
import { testGirder } from './support/test-girder.js';

interface Printed {
  url: string;
  apiUrl: string;
  passwords: { admin: string; pathologist: string };
}

test('`dsa-slurm sandbox --girder` gives a real Girder, in which the demo analysis runs', async () => {
  const { major } = testGirder();
  const dir = join(testSite().sandboxDir, 'sandbox');
  const args = ['sandbox', '--girder', String(major), '--no-console', '--json', '--dir', dir];
  const program = startProgram(args, { env: process.env });
  await expect.poll(program.stdout, { timeout: 170_000, interval: 200 }).toContain('\n');
  const { url, apiUrl, passwords } = JSON.parse(program.stdout()) as Printed;
  // Girder 3's web page would need a build
  if (major === 5) expect(await (await fetch(url)).text()).toContain('<html');

  const user = await login(apiUrl, 'pathologist', passwords.pathologist);
  const { _id: me } = await user.call('GET', 'user/me');
  const params = { parentType: 'user', parentId: me, name: 'Private' };
  const [folder] = await user.call<GirderDocument[]>('GET', 'folder', { params });
  const folderId = folder?._id ?? '';
  const [slide] = await user.call<GirderDocument[]>('GET', 'item', { params: { folderId } });
  const [file] = await user.call<GirderDocument[]>('GET', `item/${slide?._id ?? ''}/files`);
  const [cli] = await user.call<GirderDocument[]>('GET', 'slicer_cli_web/cli');
  const outputs = Object.fromEntries(
    ['result', 'summary', 'mask'].flatMap((name) => [
      [name, `${name}.txt`],
      [`${name}_folder`, folderId],
    ]),
  );
  const run = { slide: file?._id ?? '', seconds: 1, ...outputs };
  const job = await user.call('POST', `slicer_cli_web/cli/${cli?._id ?? ''}/run`, { params: run });
  const status = async () => (await user.call('GET', `job/${job._id}`))['status'];
  await expect.poll(status, { timeout: 60_000, interval: 300 }).toBe(3);
  const items = await user.call<GirderDocument[]>('GET', 'item', { params: { folderId } });
  expect(items.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['result.txt', 'summary.txt', 'mask.txt']),
  );

  program.signal('SIGINT');
  expect(await program.ended).toBe(0);
  expect(existsSync(dir)).toBe(false);
}, 300_000);
