import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { openPager, pagerCommand } from '../../../../src/console/commands/pager.js';

test.each([
  [undefined, ['less']],
  ['', ['less']],
  ['  ', ['less']],
  // cat would not wait, and its output would disappear at once
  ['cat', ['less']],
  ['less -R', ['less', '-R']],
  ['  most   -s ', ['most', '-s']],
  [`vim -R -c 'set nowrap' -`, ['vim', '-R', '-c', 'set nowrap', '-']],
  ['"/opt/my pager/less" -P"a \\"b\\" c"', ['/opt/my pager/less', '-Pa "b" c']],
  ['/opt/my\\ pager', ['/opt/my pager']],
  // no shell: these are ordinary arguments
  ['less; rm -rf $HOME `x` | y', ['less;', 'rm', '-rf', '$HOME', '`x`', '|', 'y']],
])('parses PAGER=%j as %j', (PAGER, argv) => {
  expect(pagerCommand({ PAGER })).toEqual(argv);
});

const env = (PAGER: string) => ({ PATH: process.env['PATH'], PAGER });

describe('the pager', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pager-'));
  });
  afterEach(async () => rm(directory, { recursive: true }));

  async function pager(script: string): Promise<string> {
    const path = join(directory, 'pager');
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
    return path;
  }
  test('receives the path as its last argument, and the environment', async () => {
    const log = join(directory, "a log; 'quoted'");
    await writeFile(log, 'x');
    const path = await pager(`printf '%s\\n' "$@" "$LESSSECURE" > ${directory}/said`);
    expect(await openPager(log, { env: env(`${path} -a 'b c'`), readOnly: true })).toBeNull();
    expect(await readFile(join(directory, 'said'), 'utf8')).toBe(`-a\nb c\n${log}\n1\n`);
    expect(await openPager(log, { env: env(path), readOnly: false })).toBeNull();
    expect(await readFile(join(directory, 'said'), 'utf8')).toBe(`${log}\n\n`);
  });

  test.each([
    ['/nowhere/pager', /^The pager \/nowhere\/pager could not be started: command not found\./u],
    ['false', /^The pager false exited with 1\.$/u],
  ])('reports that %s fails', async (name, words) => {
    await writeFile(join(directory, 'log'), 'x');
    expect(await openPager(join(directory, 'log'), { env: env(name), readOnly: false })).toMatch(words);
  });

  test('is not started for a missing log', async () => {
    const path = join(directory, 'gone');
    expect(await openPager(path, { env: env('false'), readOnly: false })).toBe(
      `The log ${path} does not exist.`,
    );
  });
});
