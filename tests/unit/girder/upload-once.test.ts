import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { clientFor } from '../../../src/girder/api/client.js';
import type { TransferContext } from '../../../src/girder/transfer/download.js';
import { uploadFileToFolder, uploadFileToItem } from '../../../src/girder/transfer/upload.js';
import type { PendingUpload, UploadRecord } from '../../../src/girder/transfer/upload-content.js';
import { startFakeGirder } from '../../../src/sandbox/fake-girder/index.js';
import { createTestSetup } from '../../support/scripted-http.js';

/** A fake Girder that enforces the rules of uploads, and a worker that can crash. */
async function bench() {
  const dir = await mkdtemp(path.join(tmpdir(), 'dsa-slurm-once-'));
  const girder = await startFakeGirder({ dir });
  const setup = createTestSetup();
  onTestFinished(async () => {
    await setup.connections.close();
    await girder.stop();
    await rm(dir, { recursive: true });
  });
  const folderId = girder.rootFolderId;
  const context: TransferContext = {
    client: clientFor({ apiUrl: girder.apiUrl, token: girder.userToken }, setup),
    clock: setup.clock,
    signal: new AbortController().signal,
  };
  const file = async (text: string): Promise<string> => {
    await writeFile(path.join(dir, 'out'), text);
    return path.join(dir, 'out');
  };
  /** Names and contents of all files in the folder. */
  const found = async (): Promise<string[]> =>
    Promise.all(
      girder
        .items(folderId)
        .flatMap((item) => girder.files(item.id))
        .map(async ({ name, path: content }) => `${name}: ${await readFile(content, 'utf8')}`),
    );
  /** A journal that survives the worker. */
  const journal: { begun: PendingUpload | null } = { begun: null };
  const memory = (onBegin: () => void = () => undefined): UploadRecord => ({
    begun: journal.begun,
    begin: async (upload) => {
      journal.begun = upload;
      onBegin();
    },
  });
  const upload = async (real: string, onBegin?: () => void): Promise<void> =>
    uploadFileToFolder(context, real, folderId, {}, memory(onBegin));
  return { girder, context, folderId, file, found, journal, upload };
}

const died = (): never => {
  throw new Error('the worker died');
};

test.each(['content', ''])(
  'an output “%s” that is there, though nobody wrote that down, stays alone',
  async (text) => {
    const { upload, file, found } = await bench();
    const real = await file(text);
    await upload(real);
    // the worker crashed between Girder's response and the journal entry
    await upload(real);
    expect(await found()).toEqual([`out: ${text}`]);
  },
);

test.each(['content', ''])('an output “%s” whose upload was only started is created', async (text) => {
  const { upload, file, found } = await bench();
  const real = await file(text);
  await expect(upload(real, died)).rejects.toThrow('died');
  expect(await found()).toEqual([]);
  await upload(real);
  expect(await found()).toEqual([`out: ${text}`]);
});

test('an interrupted upload resumes where it stopped', async () => {
  const { upload, file, found, context, journal, girder } = await bench();
  const real = await file('content');
  await expect(upload(real, died)).rejects.toThrow('died');
  const { upload: id } = journal.begun as { upload: string };
  const half = Buffer.from('con');
  await fetch(`${girder.apiUrl}/file/chunk?uploadId=${id}&offset=0`, {
    method: 'POST',
    body: half,
    headers: { 'Girder-Token': girder.userToken },
  });
  await upload(real);
  expect(await found()).toEqual(['out: content']);
  expect(girder.requests().filter(({ path: asked }) => asked.includes('offset=3'))).toHaveLength(1);
  expect(context.signal.aborted).toBe(false);
});

test('an upload that an administrator has deleted is started again', async () => {
  const { upload, file, found, journal } = await bench();
  journal.begun = { upload: 'fafafafafafafafafafafafa' };
  await upload(await file('content'));
  expect(await found()).toEqual(['out: content']);
});

test.each([
  ['content', 'folder'],
  ['', 'folder'],
  ['', 'item'],
])('an output “%s” for a %s whose every second answer is lost is there once', async (text, to) => {
  const { girder, context, folderId, upload, file, found } = await bench();
  const real = await file(text);
  let calls = 0;
  girder.fail((method) => {
    calls += 1;
    return method === 'GET' || calls % 2 === 0 ? undefined : { kind: 'lost answer' };
  });
  if (to === 'folder') await upload(real);
  else {
    const { itemId } = await girder.addFile(folderId, 'other', Buffer.from('x'));
    await uploadFileToItem(context, real, itemId, {});
  }
  expect((await found()).filter((each) => each.startsWith('out'))).toEqual([`out: ${text}`]);
});

test('an older empty output of the same name is not mistaken for this one', async () => {
  const { girder, folderId, upload, file, found } = await bench();
  await girder.addFile(folderId, 'out', Buffer.from(''));
  await upload(await file(''));
  expect(await found()).toEqual(['out: ', 'out: ']);
});
