import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { readAnalysis } from '../../../src/girder/protocol/read-analysis.js';
import { stageAnalysis } from '../../../src/girder/transfer/stage-inputs.js';
import { fixtureTask } from './fixtures.js';
import { recordedExchanges, replay, setUp } from './girder-bench.js';

interface Expected {
  kwargs: { container_args: unknown[]; volumes: Record<string, { bind: string; mode: string }> };
}

async function expectedOf(name: string): Promise<Expected['kwargs']> {
  const file = new URL(`../../fixtures/contract/expected/transforms/${name}`, import.meta.url);
  return (JSON.parse(await readFile(file, 'utf8')) as Expected).kwargs;
}

/** Replaces the random container names of volumes by their order of appearance. */
function comparable(text: string, volumes: string[]): string {
  return text.replace(/\/mnt\/girder_worker\/[0-9a-f]{32}/, (volume) => {
    if (!volumes.includes(volume)) volumes.push(volume);
    return `volume ${volumes.indexOf(volume)}`;
  });
}

/**
 * What the real DockerTask made of these messages. Known differences: each input has its own directory; scalars are already text;
 * a pipe is already its path, which the Python worker resolves later.
 */
it.each(['g3', 'g5'])('stages as the Python worker does (%s.show_ok)', async (girder) => {
  const { access, directory, setup } = await setUp(
    replay(recordedExchanges(`${girder}.transform_downloads_uploads.json`)),
  );
  const captured = fixtureTask(`${girder}.show_ok.json`);
  const analysis = readAnalysis({
    ...captured,
    name: 'girder_worker.docker.tasks.docker_run',
    body: captured.body
      .replace('{"py/tuple": []}', '{"py/tuple": ["example/small:v1"]}')
      .replaceAll('"host_dir": "/shared', `"host_dir": "${directory}`),
  });
  const staged = await stageAnalysis(analysis, {
    ...setup,
    apiUrlMap: { 'http://girder.example:8080/api/v1': access.apiUrl },
    tmpDir: path.join(directory, 'tmp'),
    runId: 'show',
    mountPrefix: null,
    privateDirectories: [],
    directPaths: false,
    signal: new AbortController().signal,
  });
  const expected = await expectedOf(`${girder}.show_ok.json`);

  const theirs: string[] = [];
  const ours: string[] = [];
  const isPlain = (_: unknown, index: number): boolean => typeof expected.container_args[index] !== 'object';
  const pythons: unknown[] = [3, 1.5, true];
  expect(
    staged.args
      .filter(isPlain)
      .map((text) => comparable(text, ours).replace(/\/\d+-(?=[0-9a-f]{24}\/)/, '/'))
      .map((text) => text.replace(access.apiUrl, 'http://girder.example:8080/api/v1'))
      .map((text) => text.replace(/\/[0-9a-f]{24}\/renamed/, '/renamed')),
  ).toEqual(
    expected.container_args
      .filter(isPlain)
      .map((value) => (pythons.includes(value) ? { 3: '3', 1.5: '1.5', true: 'True' }[String(value)] : value))
      .map((value) => comparable(String(value), theirs)),
  );
  const standard = staged.volumes['default']?.container ?? '';
  expect(staged.args.slice(-4)).toEqual([
    'None',
    ...['in.pipe', '.girder_progress', 'o.pipe'].map((name) => `${standard}/${name}`),
  ]);

  const modes = Object.values(expected.volumes).map(
    ({ bind, mode }) => `${comparable(bind, theirs)} ${mode}`,
  );
  expect(staged.binds.map(({ container, mode }) => `${comparable(container, ours)} ${mode}`).sort()).toEqual(
    modes.sort(),
  );
  // includes the volume with its own host directory
  expect(await readdir(path.join(directory, 'tmp', 'sub'))).toHaveLength(1);
});

/** Arguments without the directory that is created for each input. */
function plain(texts: readonly unknown[]): string[] {
  return texts.map((text) => comparable(String(text), []).replace(/\/(\d+-)?[0-9a-f]{24}\//, '/'));
}

/** Stages a captured message with a Girder that replays recorded responses. */
async function stageFixture(
  name: string,
  change: (body: string, directory: string) => string | Promise<string> = (body) => body,
  { directPaths = false, hooks = true } = {},
) {
  const recorded = recordedExchanges(`${name.slice(0, 2)}.transform_downloads_uploads.json`);
  const { access, directory, heard, setup } = await setUp(replay(recorded));
  const captured = fixtureTask(name);
  const analysis = readAnalysis({
    ...captured,
    headers: hooks ? captured.headers : { ...captured.headers, girder_result_hooks: null },
    name: 'girder_worker.docker.tasks.docker_run',
    body: await change(
      captured.body.replace('{"py/tuple": []}', '{"py/tuple": ["example/small:v1"]}'),
      directory,
    ),
  });
  const staging = stageAnalysis(analysis, {
    ...setup,
    apiUrlMap: { 'http://girder.example:8080/api/v1': access.apiUrl },
    tmpDir: path.join(directory, 'tmp'),
    runId: 'show',
    mountPrefix: null,
    privateDirectories: [],
    directPaths,
    signal: new AbortController().signal,
  });
  return { staging, directory, heard };
}

/** Replaces the file that the captured messages name by a readable one. */
async function withDirectFile(body: string, directory: string): Promise<string> {
  const file = path.join(directory, 'direct file.svs');
  await writeFile(file, 'a slide');
  return body.replaceAll('/shared/direct file.svs', file);
}

// each input has its own directory
const plainly = (place: string) =>
  place.replace('/mnt/girder_direct_worker/1/', '/mnt/girder_direct_worker/');

// outside container arguments these transforms give paths on the worker's host, which no container sees
const inArguments = (body: string) =>
  body.replace(
    /\{"inputFile": (.*), "other": (.*), "outputDir": (.*?)\}\}, \{"callbacks/s,
    '{"container_args": [$1, $2, $3}]}, {"callbacks',
  );

it.each(['g3', 'g5'])(
  'binds a readable direct path as the Python worker does (%s.show_direct_ok)',
  async (girder) => {
    const name = `${girder}.show_direct_ok.json`;
    const { staging, directory, heard } = await stageFixture(name, withDirectFile);
    const [staged, expected] = [await staging, await expectedOf(name)];
    expect(staged.args.map(plainly)).toEqual(expected.container_args);
    const host = path.join(directory, 'direct file.svs');
    const theirs = expected.volumes['/shared/direct file.svs'];
    const readOnly = staged.binds.filter(({ mode }) => mode === 'ro');
    expect(readOnly.map((bind) => ({ ...bind, container: plainly(bind.container) }))).toEqual([
      { host, container: theirs?.bind, mode: theirs?.mode },
    ]);
    expect(staged.binds).toHaveLength(Object.keys(expected.volumes).length);
    // nothing is downloaded
    expect(heard).toEqual([]);
  },
);

it.each(['g3', 'g5'])('fails for an unknown file id (%s.show_bad_id)', async (girder) => {
  const { staging } = await stageFixture(`${girder}.show_bad_id.json`);
  await expect(staging).rejects.toMatchObject({ code: 'girder' });
});

it.each([
  [true, 'g3'],
  [false, 'g3'],
  [true, 'g5'],
  [false, 'g5'],
])(
  'takes a file where it lies only if direct paths are allowed (show_allow_direct, %s)',
  async (directPaths, girder) => {
    const { staging, directory, heard } = await stageFixture(
      `${girder}.show_allow_direct.json`,
      async (body, directory) => withDirectFile(inArguments(body), directory),
      // they upload the return value of a Python task
      { directPaths, hooks: false },
    );
    const staged = await staging;
    const host = path.join(directory, 'direct file.svs');
    expect(staged.binds.some((bind) => bind.host === host && bind.mode === 'ro')).toBe(directPaths);
    const downloads = heard.filter(({ path: asked }) => asked.endsWith('/download'));
    expect(downloads).toHaveLength(directPaths ? 1 : 2);
    expect(staged.args).toHaveLength(3);
  },
);

it.each([
  'g3.show_artifact.json',
  'g3.show_container_failed.json',
  'g3.show_direct_unreadable.json',
  'g3.show_missing_output.json',
  'g5.show_container_failed.json',
])('makes the arguments that the Python worker makes (%s)', async (name) => {
  const { staging } = await stageFixture(name);
  const staged = await staging;
  expect(plain(staged.args)).toEqual(plain((await expectedOf(name)).container_args));
  expect(staged.binds.map(({ mode }) => mode)).toEqual(['rw']);
});
