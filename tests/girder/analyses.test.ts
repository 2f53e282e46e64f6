import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { logOf, openRig, status, statusesOf, type Rig } from './support/rig.js';

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
});

afterAll(async () => {
  await rig.close();
});

const digest = (content: string): string => createHash('sha256').update(content).digest('hex');

describe.concurrent('analyses that are started as Girder’s web page starts them', () => {
  test('every kind of input and output', async ({ expect }) => {
    const [inputs, results] = [await rig.folder('inputs'), await rig.folder('results')];
    const slide = await rig.user.upload(await rig.folder('slides'), 'slide é.tiff', 'the slide');
    const table = await rig.user.upload(await rig.folder('tables'), 'table.csv', 'a,b');
    await rig.user.upload(inputs, 'one.txt', 'first');
    const deep = await rig.user.call('POST', 'folder', { params: { parentId: inputs, name: 'deep' } });
    await rig.user.upload(deep._id, 'two.txt', 'second');
    const item = await rig.user.upload(await rig.folder('items'), 'item.txt', 'in the item');
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
      sample: item.itemId,
      count: 7,
      factor: 2.5,
      flag: true,
      words: `it's "quoted" $HOME; x`,
      region: '[1, 2, 30, 40]',
      color: 'green & blue',
      ...outputs,
    });
    const ended = await rig.ended(job);
    expect(logOf(ended)).toContain('everything was seen');
    expect(ended.status).toBe(status.success);
    expect(ended.title).toBe('Everything on slide é.tiff');
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
    const ended = await rig.ended(job);
    expect(ended.status).toBe(status.success);
    expect(statusesOf(ended)).toEqual([status.running, status.success]);
    expect(logOf(ended)).toContain('copying 12 bytes\ndone: é漢🔬\n');
    expect(await rig.files(folder)).toEqual({ 'copy.txt': 'some content' });
  });
});

test('it runs on the major that was asked for', async () => {
  const { release } = await rig.admin.call<{ release: string }>('GET', 'system/version');
  expect(release.startsWith(`${inject('girder').major}.`)).toBe(true);
});
