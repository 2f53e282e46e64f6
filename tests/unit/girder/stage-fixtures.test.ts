import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { readAnalysis } from '../../../src/girder/read-analysis.js';
import { stageAnalysis } from '../../../src/girder/stage.js';
import { fixtureTask } from './fixtures.js';
import { recordedExchanges, replay, setUp } from './girder-bench.js';

interface Expected {
  kwargs: { container_args: unknown[]; volumes: Record<string, { bind: string; mode: string }> };
}

async function expectedOf(name: string): Promise<Expected['kwargs']> {
  const file = new URL(`../../fixtures/contract/expected/transforms/${name}`, import.meta.url);
  return (JSON.parse(await readFile(file, 'utf8')) as Expected).kwargs;
}

/** Volumes by the order in which they are mentioned: their names in the container are random. */
function comparable(text: string, volumes: string[]): string {
  return text.replace(/\/mnt\/girder_worker\/[0-9a-f]{32}/, (volume) => {
    if (!volumes.includes(volume)) volumes.push(volume);
    return `volume ${volumes.indexOf(volume)}`;
  });
}

/**
 * What the real DockerTask made of these messages. Known differences: each input has a directory of its own, also with a name of
 * its own; a scalar is text already; a pipe is its path, which the Python worker finds out later.
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
  // the volume with a directory of its own on the host is in there
  expect(await readdir(path.join(directory, 'tmp', 'sub'))).toHaveLength(1);
});

/** Arguments without the directory that each input has of its own: before its id, or instead of none. */
function plain(texts: readonly unknown[]): string[] {
  return texts.map((text) => comparable(String(text), []).replace(/\/(\d+-)?[0-9a-f]{24}\//, '/'));
}

it.each([
  'g3.show_artifact.json',
  'g3.show_container_failed.json',
  'g3.show_direct_unreadable.json',
  'g3.show_missing_output.json',
  'g5.show_container_failed.json',
])('makes the arguments that the Python worker makes (%s)', async (name) => {
  const recorded = recordedExchanges(`${name.slice(0, 2)}.transform_downloads_uploads.json`);
  const { access, directory, setup } = await setUp(replay(recorded));
  const captured = fixtureTask(name);
  const analysis = readAnalysis({
    ...captured,
    name: 'girder_worker.docker.tasks.docker_run',
    body: captured.body.replace('{"py/tuple": []}', '{"py/tuple": ["example/small:v1"]}'),
  });
  const staged = await stageAnalysis(analysis, {
    ...setup,
    apiUrlMap: { 'http://girder.example:8080/api/v1': access.apiUrl },
    tmpDir: path.join(directory, 'tmp'),
    runId: 'show',
    mountPrefix: null,
    directPaths: false,
    signal: new AbortController().signal,
  });
  expect(plain(staged.args)).toEqual(plain((await expectedOf(name)).container_args));
  expect(staged.binds.map(({ mode }) => mode)).toEqual(['rw']);
});
