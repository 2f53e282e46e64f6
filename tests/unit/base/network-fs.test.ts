import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  chmod,
  guardSharedFiles,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  writeFile,
} from '../../../src/base/files/network-fs.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dsa-shared-'));
});

// rm(1), because Node cannot name all files that are created here
afterEach(() => void execFileSync('rm', ['-rf', '--', dir]));

describe('rm', () => {
  test('removes a tree without following links', async () => {
    const tree = join(dir, 'tree');
    mkdirSync(join(tree, 'deep', 'deeper'), { recursive: true });
    mkdirSync(join(dir, 'kept'));
    writeFileSync(join(dir, 'kept', 'file'), 'x');
    writeFileSync(join(tree, 'deep', 'file'), 'x');
    symlinkSync(join(dir, 'kept'), join(tree, 'deep', 'link'));
    symlinkSync(join(dir, 'nowhere'), join(tree, 'broken'));
    await rm(tree, { recursive: true, force: true });
    expect(readdirSync(dir)).toEqual(['kept']);
    expect(readFileSync(join(dir, 'kept', 'file'), 'utf8')).toBe('x');
  });

  test('removes names that are not UTF-8, and paths longer than PATH_MAX', async () => {
    const tree = join(dir, 'tree');
    mkdirSync(tree);
    const odd = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe, 0x2d])]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from('/caf\xe9', 'latin1')]), 'x');
    // deeper than PATH_MAX: each directory is created from its parent
    const step = `require('fs').mkdirSync('d'.repeat(250)); process.chdir('d'.repeat(250));`;
    const script = `for (let i = 0; i < 20; i += 1) { ${step} } require('fs').writeFileSync('file', 'x')`;
    execFileSync(process.execPath, ['-e', script], { cwd: tree });
    await rm(tree, { recursive: true, force: true });
    expect(readdirSync(dir)).toEqual([]);
  });

  test('removes a link itself; a missing file is an error only without force', async () => {
    mkdirSync(join(dir, 'kept'));
    symlinkSync(join(dir, 'kept'), join(dir, 'link'));
    await rm(join(dir, 'link'), { recursive: true, force: true });
    expect(statSync(join(dir, 'kept')).isDirectory()).toBe(true);
    await rm(join(dir, 'link'), { recursive: true, force: true });
    await expect(rm(join(dir, 'link'), { recursive: true })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(rm(join(dir, 'kept'))).rejects.toThrow();
  });
});

// Accesses to directories shared with other hosts must go through the gate. The state directory is on a local disk.
test('all accesses to shared files go through the gate', () => {
  const src = new URL('../../../src/', import.meta.url);
  const rooms = ['girder', 'slurm', 'apptainer', 'worker/stages', 'worker/views'];
  const files = [
    ...rooms.flatMap((room) =>
      readdirSync(new URL(room, src), { recursive: true, encoding: 'utf8' }).map((file) => `${room}/${file}`),
    ),
    'worker/run-state/directories.ts',
    'worker/stages/wait-for-output-files.ts',
    'worker/logs/log-file.ts',
    'base/files/make-directory.ts',
  ];
  const past = files
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => readFileSync(new URL(file, src), 'utf8').includes("'node:fs/promises'"));
  // /proc is not a network file system
  expect(past).toEqual(['slurm/stray-submissions.ts']);
});

test('a worker that lost its lock can read shared files but not change them', async () => {
  const path = join(dir, 'file');
  writeFileSync(path, 'as it was');
  const file = await open(path, 'r+');
  const unguard = guardSharedFiles(async () => {
    throw new Error('another worker has taken over');
  });
  try {
    const changes = [
      writeFile(path, 'x'),
      rm(path),
      rm(dir, { recursive: true }),
      rename(path, join(dir, 'other')),
      mkdir(join(dir, 'new')),
      chmod(path, 0o777),
      open(path, 'w'),
      file.write(Buffer.from('x'), 0, 1, 0),
      file.truncate(0),
    ];
    for (const result of await Promise.allSettled(changes))
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { message: 'another worker has taken over' },
      });
    expect(await readFile(path, 'utf8')).toBe('as it was');
    await (await open(path, 'r')).close();
  } finally {
    unguard();
    await file.close();
  }
  await writeFile(path, 'again');
  expect(readFileSync(path, 'utf8')).toBe('again');
});
