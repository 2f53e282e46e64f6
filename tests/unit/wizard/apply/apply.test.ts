import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apply, compare, type ApplyOptions, type Change } from '../../../../src/wizard/apply/index.js';
import type { PlannedFile } from '../../../../src/wizard/init-answers.js';

let root: string;
let manifestPath: string;
beforeEach(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'dsa-apply-'));
  manifestPath = join(root, 'state', 'written.json');
});
afterEach(() => fs.rm(root, { recursive: true }));

const planned = (name: string, content: string, more: Partial<PlannedFile> = {}): PlannedFile => ({
  path: join(root, name),
  mode: 0o644,
  content,
  purpose: 'A test.',
  ...more,
});
const look = (files: PlannedFile[], secrets: string[] = []) => compare(files, { manifestPath, secrets });
const refuse = (): never => {
  throw new Error('nothing was to be asked');
};
const write = async (files: PlannedFile[], options: Partial<ApplyOptions> = {}) =>
  apply(await look(files), { manifestPath, decide: refuse, ...options });
const read = (name: string) => fs.readFile(join(root, name), 'utf8');
const kinds = (changes: Change[]) => changes.map(({ change }) => change);

const modeOf = async (name: string) => (await fs.stat(join(root, name))).mode & 0o777;

/** A file with secrets in all recognized forms, and one that is given explicitly. */
const secretive = (secret: string) =>
  `url: amqp://dsa:${secret}@host/\nDSA_ADMIN_PASSWORD='${secret}'\n"token": "${secret}"\nplain ${secret}\n`;

/** All paths below the directory, with mode and content. */
async function snapshot(): Promise<Record<string, string>> {
  const entries = await fs.readdir(root, { recursive: true, withFileTypes: true });
  const pairs = entries.map(async (entry): Promise<[string, string]> => {
    const path = join(entry.parentPath, entry.name);
    const mode = ((await fs.lstat(path)).mode & 0o777).toString(8);
    return [path, entry.isFile() ? `${mode} ${await fs.readFile(path, 'utf8')}` : mode];
  });
  return Object.fromEntries(await Promise.all(pairs));
}

describe('compare', () => {
  it('changes nothing, and shows all lines of a new file', async () => {
    const [change] = await look([planned('a/b', 'one\ntwo\n')]);
    expect(change).toMatchObject({ change: 'new', before: null, diff: '@@ -0,0 +1,2 @@\n+one\n+two' });
    expect(await snapshot()).toEqual({});
  });

  it('distinguishes unedited, edited and foreign files', async () => {
    await fs.writeFile(join(root, 'foreign'), 'x\n');
    await write([planned('ours', 'a\n'), planned('byhand', 'a\n'), planned('still', 'a\n')]);
    await fs.writeFile(join(root, 'byhand'), 'mine\n');
    const files = ['foreign', 'ours', 'byhand', 'still'].map((name) =>
      planned(name, name === 'still' ? 'a\n' : 'b\n'),
    );
    expect(kinds(await look(files))).toEqual(['edited', 'changed', 'edited', 'same']);
  });

  it('does not count a file as edited if the new content preserves manual changes', async () => {
    await fs.writeFile(join(root, 'profile'), '{"a": 1}\n');
    expect(kinds(await look([planned('profile', '{"a": 1, "b": 2}\n', { merged: true })]))).toEqual([
      'changed',
    ]);
  });

  it('reports a different mode as a change', async () => {
    await fs.writeFile(join(root, 'f'), 'a\n', { mode: 0o644 });
    const [change] = await look([planned('f', 'a\n', { mode: 0o600 })]);
    expect(change).toMatchObject({ change: 'changed', diff: 'mode 644 -> 600' });
  });

  it('shows a changed password as a change, with both masked', async () => {
    await fs.writeFile(join(root, 'f'), secretive('OldOne%1').replace('plain OldOne%1', 'plain'));
    const [change] = await look([planned('f', secretive('NewOne%1'))], ['NewOne%1']);
    expect(change?.diff).not.toMatch(/OldOne|NewOne/);
    expect(change?.diff.match(/^[-+]/gm)).toHaveLength(8);
    expect(change?.diff).toContain('+url: amqp://dsa:***@host/');
  });

  it('does not mask a reference to a password', async () => {
    const [change] = await look([planned('f', 'DSA_ADMIN_PASSWORD: ${DSA_ADMIN_PASSWORD:?see .env}\n')]);
    expect(change?.diff).toContain('see .env');
  });

  it('replaces control characters of existing files', async () => {
    await fs.writeFile(join(root, 'f'), '\u001B]0;owned\u0007\n');
    const [change] = await look([planned('f', 'a\n')]);
    expect(change?.diff).not.toMatch(/[^\P{Cc}\n]/u);
  });

  it('rejects paths that are not files, and links out of their directory', async () => {
    await fs.mkdir(join(root, 'dir'));
    await expect(look([planned('dir', 'a\n')])).rejects.toThrow('is not a file');
    await fs.mkdir(join(root, 'in'));
    await fs.writeFile(join(root, 'victim'), 'x');
    await fs.symlink('../victim', join(root, 'in', 'link'));
    await expect(look([planned('in/link', 'a\n')])).rejects.toThrow('link to a file outside its directory');
    await fs.symlink('nowhere', join(root, 'in', 'dangling'));
    await expect(look([planned('in/dangling', 'a\n')])).rejects.toThrow(
      'link to a file outside its directory',
    );
  });

  it('shows no diff of a file in which thousands of lines changed', async () => {
    await fs.writeFile(join(root, 'f'), Array.from({ length: 3_000 }, (_, n) => `old ${n}\n`).join(''));
    const [change] = await look([
      planned('f', Array.from({ length: 3_000 }, (_, n) => `new ${n}\n`).join('')),
    ]);
    expect(change?.diff).toBe('(too many changes to show line by line)');
  });
});

describe('apply', () => {
  it('writes files with the planned modes, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      await write([
        planned('d/run.sh', '#!\n', { mode: 0o755 }),
        planned('secret/.env', 'x\n', { mode: 0o600 }),
      ]);
    } finally {
      process.umask(before);
    }
    expect(await modeOf('d/run.sh')).toBe(0o755);
    expect(await modeOf('secret/.env')).toBe(0o600);
    expect(await modeOf('secret')).toBe(0o700);
    expect(await modeOf('state/written.json')).toBe(0o600);
  });

  it('keeps a backup of each overwritten file', async () => {
    await write([planned('f', 'one\n')]);
    await write([planned('f', 'two\n')]);
    const applied = await write([planned('f', 'three\n')]);
    expect([await read('f'), await read('f.bak-1'), await read('f.bak-2')]).toEqual([
      'three\n',
      'one\n',
      'two\n',
    ]);
    expect(applied).toEqual({
      written: [join(root, 'f')],
      kept: [],
      backups: { [join(root, 'f')]: join(root, 'f.bak-2') },
    });
  });

  it('writes nothing the second time', async () => {
    const files = [planned('f', 'one\n'), planned('g', 'two\n', { mode: 0o600 })];
    await write(files);
    const before = await snapshot();
    expect(kinds(await look(files))).toEqual(['same', 'same']);
    await write(files);
    expect(await snapshot()).toEqual(before);
  });

  it('asks about edited files, and keeps them if so decided', async () => {
    await write([planned('f', 'one\n'), planned('g', 'one\n')]);
    await fs.writeFile(join(root, 'f'), 'mine\n');
    await fs.writeFile(join(root, 'g'), 'mine\n');
    const applied = await write([planned('f', 'two\n'), planned('g', 'two\n')], {
      decide: ({ file }) => (file.path.endsWith('f') ? 'keep' : 'overwrite'),
    });
    expect([await read('f'), await read('g'), await read('g.bak-1')]).toEqual(['mine\n', 'two\n', 'mine\n']);
    expect(applied.kept).toEqual([join(root, 'f')]);
    // a kept file still counts as edited
    expect(kinds(await look([planned('f', 'two\n')]))).toEqual(['edited']);
  });

  it('follows a link within its directory and keeps the link', async () => {
    await fs.writeFile(join(root, 'real'), 'one\n');
    await fs.symlink('real', join(root, 'link'));
    await write([planned('link', 'two\n')], { decide: () => 'overwrite' });
    expect(await fs.readlink(join(root, 'link'))).toBe('real');
    expect(await read('real')).toBe('two\n');
  });

  it('rejects files that changed after the comparison', async () => {
    await write([planned('f', 'one\n')]);
    const changes = await look([planned('f', 'two\n'), planned('g', 'two\n')]);
    await fs.writeFile(join(root, 'f'), 'mine\n');
    const before = await snapshot();
    await expect(apply(changes, { manifestPath, decide: refuse })).rejects.toThrow(
      /changed in the meantime.*Nothing/,
    );
    expect(await snapshot()).toEqual(before);
  });

  it('restores everything, wherever it fails', async () => {
    await write([planned('old', 'one\n', { mode: 0o600 }), planned('other', 'one\n')]);
    const files = [
      planned('deep/er/new', 'a\n'),
      planned('old', 'two\n'),
      planned('other', 'two\n'),
      planned('deep/second', 'b\n'),
    ];
    const before = await snapshot();
    // four files and the manifest
    for (let failing = 1; failing <= 5; failing += 1) {
      let moves = 0;
      const rename = async (from: string, to: string) => {
        moves += 1;
        if (moves === failing) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        await fs.rename(from, to);
      };
      await expect(write(files, { rename })).rejects.toThrow(/no space left on device.*Nothing was changed/);
      expect(await snapshot(), `failure at ${failing}`).toEqual(before);
    }
    await write(files);
    expect(await read('old')).toBe('two\n');
  });

  it('restores everything if a directory cannot be created', async () => {
    await fs.writeFile(join(root, 'file'), 'x');
    const before = await snapshot();
    const changes: Change[] = [
      ...(await look([planned('new/a', 'a\n')])),
      { file: planned('file/b', 'b\n'), target: join(root, 'file/b'), change: 'new', diff: '', before: null },
    ];
    await expect(apply(changes, { manifestPath, decide: refuse })).rejects.toThrow('Nothing was changed');
    expect(await snapshot()).toEqual(before);
  });

  it('asks about every file if the manifest is broken', async () => {
    await write([planned('f', 'one\n')]);
    await fs.writeFile(manifestPath, '{');
    expect(kinds(await look([planned('f', 'two\n')]))).toEqual(['edited']);
  });
});
