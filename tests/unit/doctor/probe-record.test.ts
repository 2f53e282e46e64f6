import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tmpDirectory } from '../../../src/doctor/checks/directories/shared-directory.js';
import type { ProbeAnswer } from '../../../src/doctor/probe/probe-job.js';
import { proofOfDirectory, readProbeRecord, recordProbes } from '../../../src/doctor/probe/probe-record.js';
import { ask, settingsWith } from '../../support/doctor.js';

let dir: string;
let state: string;
const at = Date.UTC(2026, 10, 30, 12);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'proof-'));
  state = join(dir, 'state');
});
afterEach(async () => rm(dir, { recursive: true, force: true }));

type Answered = Extract<ProbeAnswer, { kind: 'answered' }>;

function answer(changes: Partial<Answered> = {}): Answered {
  return {
    kind: 'answered',
    partition: 'main',
    jobId: '1',
    host: 'n1',
    uid: 1,
    ownUid: 1,
    apptainer: 'apptainer version 1.4.5',
    namespaces: true,
    girder: null,
    container: { image: '/x.sif', message: 'started', unpacked: false },
    directories: [{ path: dir, shared: true, writable: true, ms: 1, answerMs: 1 }],
    ms: 1,
    ...changes,
  };
}
const record = async (...answers: ProbeAnswer[]) => recordProbes(state, answers, { images: null, at });
const proof = async (path = dir) => proofOfDirectory(path, await readProbeRecord(state));
const unusable = (): Answered =>
  answer({ directories: [{ path: dir, shared: false, writable: true, ms: 1, answerMs: 1 }] });

test('what a node has proved is kept with its date, privately, and ends the doubt of the doctor', async () => {
  const settings = settingsWith({ 'dirs.tmp': dir, 'dirs.state': state });
  const isLocal = (await ask(tmpDirectory, { settings })).evidence.some((line) =>
    line.includes('is on a local file system'),
  );
  await record(answer());
  expect((await stat(join(state, 'probe.json'))).mode & 0o777).toBe(0o600);
  expect(await proof()).toBe('n1 (partition main) on 2026-11-30');
  const after = (await ask(tmpDirectory, { settings })).evidence.join('\n');
  expect(after).toContain(`${dir}: used by n1 (partition main) on 2026-11-30`);
  expect(after).not.toContain('is on a local file system');
  // a temporary directory of the machine that runs this test
  expect(isLocal).toBe(true);
});

test('what a later probe disproves is forgotten', async () => {
  await record(answer());
  await record(unusable(), answer({ partition: 'gpu', host: 'g1' }));
  expect(await proof()).toBeNull();
});

test('a directory on another mount needs a new proof', async () => {
  await record(answer());
  const file = join(state, 'probe.json');
  await writeFile(
    file,
    (await readFile(file, 'utf8')).replace(/"fileSystem": "[^"]*"/, '"fileSystem": "nfs4 nas:/x /"'),
  );
  expect(await proof()).toBeNull();
});

test('a probe without an answer changes nothing', async () => {
  await record(answer());
  await record({ kind: 'canceled', partition: 'main', jobId: '2', message: 'aborted' });
  expect(await proof()).not.toBeNull();
});

test('nodes only read the image directory', async () => {
  const images = { path: dir, shared: true, writable: false, ms: 1, answerMs: null };
  await recordProbes(state, [answer({ directories: [images] })], { images: dir, at });
  expect(await proof()).not.toBeNull();
});

test('an image that was unpacked does not prove that images are mounted', async () => {
  await record(answer());
  expect((await readProbeRecord(state)).container).not.toBeNull();
  await record(answer({ container: { image: '/x.sif', message: 'started', unpacked: true } }));
  expect((await readProbeRecord(state)).container).toBeNull();
});

test.each(['', '{', '{"version":2}', '[]'])('an unreadable record proves nothing: %j', async (text) => {
  await mkdir(state);
  await writeFile(join(state, 'probe.json'), text);
  expect(await proof()).toBeNull();
  await record(answer());
  expect(await proof()).not.toBeNull();
});
