import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const directory = new URL('../../man/', import.meta.url);
const pages = readdirSync(directory);

test.each(pages)('mandoc has no complaint about %s', async (page) => {
  // pages without a date stay the same until the help changes
  const { stdout } = await promisify(execFile)('mandoc', ['-T', 'lint', '-W', 'warning', page], {
    cwd: directory,
  }).catch((error: unknown) => error as { stdout: string });
  const complaints = stdout.split('\n').filter((line) => line !== '' && !line.includes('missing date'));
  expect(complaints).toEqual([]);
});

test('a page shows the options and examples of the help', async () => {
  const { stdout } = await promisify(execFile)('mandoc', ['-T', 'html', 'dsa-slurm-runs.1'], {
    cwd: directory,
  });
  const text = stdout
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll(/\s+/g, ' ');
  expect(text).toContain('--outcome <outcome>');
  expect(text).toContain('dsa-slurm runs retry --outcome failed --since 24h');
});
