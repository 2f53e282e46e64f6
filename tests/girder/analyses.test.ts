import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GirderDocument } from '../../src/sandbox/real-girder/rest.js';
import { logOf, openRig, status, statusesOf, type Job, type Rig } from './support/rig.js';
import { testGirder } from './support/test-girder.js';

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
});

afterAll(async () => {
  await rig.close();
});

const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

/** Waits for a job and fails with its log unless it succeeded. */
async function succeeded(job: { _id: string }): Promise<Job> {
  const ended = await rig.ended(job);
  if (ended.status !== status.success) throw new Error(`status ${ended.status}:\n${logOf(ended)}`);
  return ended;
}

/** The only output of `Join` and `Tree`, parsed. */
async function answerOf(folder: string): Promise<unknown> {
  return JSON.parse((await rig.files(folder))['output.txt'] ?? 'null');
}

describe.concurrent('analyses that are started like from Girder’s web page', () => {
  test('every kind of input and output', async ({ expect }) => {
    const [inputs, results] = [await rig.folder('inputs'), await rig.folder('results')];
    const slide = await rig.slide('the slide', 'slide é.tiff');
    const table = await rig.slide('a,b', 'table.csv');
    await rig.user.upload(inputs, 'one.txt', 'first');
    const deep = await rig.user.call('POST', 'folder', { params: { parentId: inputs, name: 'deep' } });
    await rig.user.upload(deep._id, 'two.txt', 'second');
    const sample = await rig.slide('in the item', 'item.txt');
    const outputs = Object.fromEntries(
      ['output', 'tiles', 'annotation', 'returnparameterfile'].flatMap((name) => [
        [name, `${name}.${name === 'annotation' ? 'anot' : 'txt'}`],
        [`${name}_folder`, results],
      ]),
    );
    const job = await rig.run('Everything', {
      input: slide._id,
      table: table._id,
      folder: inputs,
      sample: sample.itemId,
      count: 7,
      factor: 2.5,
      flag: true,
      words: `it's "quoted" $HOME; x`,
      region: '[1, 2, 30, 40]',
      color: 'green & blue',
      ...outputs,
    });
    const ended = await succeeded(job);
    expect(ended.title).toBe('Everything on slide é.tiff');
    expect(logOf(ended)).toContain('everything was seen');
    expect(logOf(ended)).not.toContain('<filter-');
    expect(ended.progress).toMatchObject({ current: 1, total: 1, message: 'A & B' });
    const files = await rig.files(results);
    expect(JSON.parse(files['output.txt'] ?? '')).toEqual({
      input: { name: 'slide é.tiff', digest: digest('the slide') },
      table: digest('a,b'),
      folder: { 'one.txt': digest('first'), 'deep/two.txt': digest('second') },
      sample: { 'item.txt': digest('in the item') },
      count: '7',
      factor: '2.5',
      flag: 'true',
      words: `it's "quoted" $HOME; x`,
      region: '1, 2, 30, 40',
      color: 'green & blue',
    });
    expect(files).toMatchObject({
      one: 'tile one',
      'annotation.anot': '{"name": "nothing", "elements": []}',
      'returnparameterfile.txt': 'score = 0.25\n',
    });
  });

  test('a copy: statuses, log and output', async ({ expect }) => {
    const { job, folder } = await rig.copy('some content');
    const ended = await succeeded(job);
    expect(statusesOf(ended)).toEqual([status.running, status.success]);
    expect(logOf(ended)).toContain('copying 12 bytes\ndone: é漢🔬\n');
    expect(await rig.files(folder)).toEqual({ 'copy.txt': 'some content' });
  });

  test('an analysis that fails: exit code and last lines', async ({ expect }) => {
    const { _id: input } = await rig.slide('no tissue');
    const ended = await rig.ended(await rig.run('Fail', { input, code: 3 }));
    expect(statusesOf(ended)).toEqual([status.running, status.error]);
    expect(logOf(ended)).toContain('exit code 3');
    expect(logOf(ended)).toContain('the slide has no tissue');
  });

  test('an output that was not written is an error', async ({ expect }) => {
    const [{ _id: input }, folder] = [await rig.slide('nothing'), await rig.folder('results')];
    const params = { input, output: 'never.txt', output_folder: folder };
    const ended = await rig.ended(await rig.run('Nothing', params));
    expect(statusesOf(ended)).toEqual([status.running, status.error]);
    expect(logOf(ended)).toContain('never.txt');
    expect(await rig.files(folder)).toEqual({});
  });

  test('several files in one argument', async ({ expect }) => {
    // The same name twice and a comma: slicer_cli_web gives them names of their own.
    const contents = testGirder().major === 5 ? ['first', 'second', 'third'] : ['first'];
    const names = ['same.tiff', 'same.tiff', 'a,b.tiff'];
    const files = await Promise.all(contents.map((content, index) => rig.slide(content, names[index])));
    const folder = await rig.folder('results');
    const list = files.map(({ _id }) => _id).join(',');
    await succeeded(await rig.run('Join', { files: list, output: 'output.txt', output_folder: folder }));
    const seen = (await answerOf(folder)) as { name: string; digest: string }[];
    expect(seen.map((each) => each.digest)).toEqual(contents.map(digest));
  });

  test('an item of three files, and an empty folder', async ({ expect }) => {
    const [empty, results, items] = await Promise.all(['empty', 'results', 'items'].map(rig.folder));
    const params = { folderId: items ?? '', name: 'three' };
    const { _id: item } = await rig.user.call('POST', 'item', { params });
    for (const name of ['a', 'b', 'c']) {
      const file = { parentType: 'item', parentId: item, name, size: 1 };
      await rig.user.call('POST', 'file', { params: file, body: Buffer.from(name) });
    }
    const run = { folder: empty ?? '', sample: item, output: 'output.txt', output_folder: results ?? '' };
    await succeeded(await rig.run('Tree', run));
    expect(await answerOf(results ?? '')).toEqual({
      folder: {},
      sample: { a: digest('a'), b: digest('b'), c: digest('c') },
    });
  });

  test('odd file names', async ({ expect }) => {
    const names = [
      'plain name.tiff',
      'Schnitt é 漢字 🔬.tiff',
      "it's",
      'a "quoted" one',
      ';$HOME `id`',
      '--help',
      'a,b',
      'a/b',
      '..',
      'tab\there',
      'line\nbreak',
      'back\\slash',
      '%s {{mode}} <b>',
    ];
    const runs = await Promise.all(names.map(async (name) => rig.copy(`content of ${name}`, name)));
    for (const [index, { job, folder }] of runs.entries()) {
      await succeeded(job);
      expect(await rig.files(folder)).toEqual({ 'copy.txt': `content of ${names[index]}` });
    }
  });

  test('70 MiB up and down', async ({ expect }) => {
    const content = Buffer.alloc(70 * 1024 * 1024, 'slide ');
    const [slides, folder] = [await rig.folder('slides'), await rig.folder('results')];
    const { _id: input } = await rig.user.upload(slides, 'large.tiff', content);
    await succeeded(await rig.run('Copy', { input, output: 'large.copy', output_folder: folder }));
    const params = { folderId: folder };
    const [item] = await rig.user.call<GirderDocument[]>('GET', 'item', { params });
    const [file] = await rig.user.call<GirderDocument[]>('GET', `item/${item?._id ?? ''}/files`);
    expect(file?.['size']).toBe(content.length);
    expect(digest(await rig.user.download(file?._id ?? ''))).toBe(digest(content));
  });

  test('address and token of Girder work inside the container', async ({ expect }) => {
    const folder = await rig.folder('results');
    const params = { output: 'output.txt', output_folder: folder, girderApiUrl: '', girderToken: '' };
    await succeeded(await rig.run('Api', params));
    // 400: it is known who asks, and there is no such folder
    expect(await answerOf(folder)).toMatchObject({ status: 400 });
  });

  test('a batch of six: each slide its own result', async ({ expect }) => {
    const [slides, folder] = [await rig.folder('slides'), await rig.folder('results')];
    const numbers = [1, 2, 3, 4, 5, 6];
    for (const number of numbers) await rig.user.upload(slides, `slide ${number}.tiff`, `content ${number}`);
    const batch = await rig.run('Copy', {
      input: 'slide.*tiff',
      input_folder: slides,
      output: '{{parameter_input_base}}.txt',
      output_folder: folder,
    });
    const ended = await succeeded(batch);
    expect(logOf(ended)).toContain('6/6');
    const results = numbers.map((number) => [`slide ${number}.txt`, `content ${number}`]);
    await rig.until(async () => Object.keys(await rig.files(folder)).length === numbers.length);
    expect(await rig.files(folder)).toEqual(Object.fromEntries(results));
  });

  test('the owner of a run is known', async ({ expect }) => {
    const { job } = await rig.copy('whose');
    await succeeded(job);
    const { celeryTaskId = '' } = await rig.job(job);
    const { stdout } = await rig.program('runs', 'show', celeryTaskId, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ run: { user: 'pathologist' } });
  });
});

test('Girder has the requested major version', async () => {
  const { release } = await rig.admin.call<{ release: string }>('GET', 'system/version');
  expect(release.startsWith(`${testGirder().major}.`)).toBe(true);
});
