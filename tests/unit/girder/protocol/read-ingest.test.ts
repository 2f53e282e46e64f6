import { describe, expect, test } from 'vitest';
import { readIngest } from '../../../../src/girder/protocol/read-ingest.js';
import { splitImage } from '../../../../src/girder/jobs/register-image.js';
import { fixtureTask } from '../fixtures.js';

describe('readIngest', () => {
  test.each(['g5.ingest_from_docker.json', 'g5apptainer.ingest_from_docker.json'])('%s', (file) => {
    const ingest = readIngest(fixtureTask(file));
    expect(ingest).toMatchObject({
      images: ['example/other:v2'],
      folderId: expect.stringMatching(/^(fa){9}0000\d\d$/) as string,
      pull: true,
      access: { apiUrl: 'http://girder.example:8080/api/v1' },
    });
    expect(ingest.access.token).toMatch(/^FAKETOKEN/);
  });

  const good = { name_list: ['a:v1', 'a:v1'], folder_id: 'a'.repeat(24), token: 'SECRET', pull: null };
  const task = (changes: Record<string, unknown>, headers: Record<string, unknown> = {}) => ({
    name: 'x',
    headers: { apiUrl: 'http://girder/api/v1', ...headers },
    body: JSON.stringify([[], { ...good, ...changes }, {}]),
  });

  test('removes duplicate images and reads pull by the truth rules of Python', () => {
    expect(readIngest(task({}))).toMatchObject({ images: ['a:v1'], pull: false });
    expect(readIngest(task({ pull: 'false' }))).toMatchObject({ pull: true });
    expect(readIngest(task({ pull: '' }))).toMatchObject({ pull: false });
  });

  test.each([
    [{ name_list: [] }, {}, 'must name 1 to 200 images'],
    [{ name_list: 'a:v1' }, {}, 'must name 1 to 200 images'],
    [{ name_list: [7] }, {}, 'not a string'],
    [{ folder_id: '../x' }, {}, 'not name a folder'],
    [{ token: '' }, {}, 'no token'],
    [{}, { apiUrl: 'file:///etc' }, 'not an http or https URL'],
  ])('%j %j is refused', (changes, headers, why) => {
    expect(() => readIngest(task(changes, headers))).toThrow(why);
    expect(() => readIngest(task(changes, headers))).not.toThrow('SECRET');
  });
});

test.each([
  ['example/small:v1', 'example/small', 'v1'],
  ['host:5000/a/b:v2', 'host:5000/a/b', 'v2'],
  ['host:5000/a', 'host:5000/a', 'latest'],
  ['a@latest', 'a', 'latest'],
  // as in Python
  ['a@sha256:12', 'a@sha256', '12'],
  ['plain', 'plain', 'latest'],
])('%s is %s in version %s', (image, name, tag) => {
  expect(splitImage(image)).toEqual({ name, tag });
});
