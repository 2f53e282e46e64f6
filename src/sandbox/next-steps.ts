import { realpath } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { packageFile } from '../base/package-file.js';
import { shellWord } from '../base/text/shell-text.js';

/** The next steps after the sandbox: commands to copy, for the way in which this program is installed. */
export async function nextSteps(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const own = packageFile('bin/dsa-slurm');
  const directories = (env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  const onPath = await Promise.all(
    directories.map(async (directory) => (await realPath(join(directory, 'dsa-slurm'))) ?? ''),
  );
  const isInstalled = onPath.find((file) => file !== '') === (await realPath(own));
  const install = [
    '  # install it for yourself; ~/.local/bin must be on your PATH',
    `  cd ${shellWord(packageFile('.').replace(/\/$/, ''))}`,
    '  npm install --global --ignore-scripts --prefix ~/.local "$(npm pack --silent)"',
  ];
  return [
    'Next, on a login node of your own cluster:',
    ...(isInstalled ? [] : install),
    '  dsa-slurm init      # asks what it cannot see, writes the settings',
    '  dsa-slurm doctor    # checks the way from Girder to a compute node',
    '  dsa-slurm console   # the worker with a live table of its jobs',
  ].join('\n');
}

async function realPath(file: string): Promise<string | undefined> {
  try {
    return await realpath(file);
  } catch {
    return undefined;
  }
}
