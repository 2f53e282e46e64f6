import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A version of the program that wrote another format of the journal, or wrote today's format first. */
export interface OlderVersion {
  journal: number;
  /** The last commit of that format; of the released one, the release. */
  commit: string;
  name: string;
  /** Settings that it did not have yet. */
  lacks: readonly string[];
}

export const olderVersions: readonly OlderVersion[] = [
  { journal: 1, commit: 'b4d3324', name: 'before 0.1.0', lacks: ['slurm.lateFilesSeconds'] },
  { journal: 2, commit: '9d221ef', name: 'before 0.1.0', lacks: [] },
  { journal: 3, commit: '02b820e', name: '0.1.0', lacks: [] },
  { journal: 4, commit: 'cbe7d13', name: 'before 0.2.0', lacks: [] },
];

const repository = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Installs and builds a version from the git history, with the packages of its own lock file. Kept in `DSA_SLURM_TEST_CACHE`.
 * @returns its directory
 */
export async function buildOlderVersion({ commit }: OlderVersion): Promise<string> {
  const cache = process.env['DSA_SLURM_TEST_CACHE'] ?? join(tmpdir(), 'dsa-slurm-test-cache');
  const directory = join(cache, 'upgrade', commit);
  if (existsSync(directory)) return directory;
  const fresh = `${directory}.${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  const archive = join(dirname(fresh), `${commit}.${process.pid}.tar`);
  await runTool('git', ['-C', repository, 'archive', `--output=${archive}`, commit], fresh);
  await runTool('tar', ['--extract', `--file=${archive}`], fresh);
  await rm(archive);
  await runTool('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], fresh);
  await runTool('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], fresh);
  if (existsSync(join(fresh, 'rolldown.config.js'))) {
    await runTool('node_modules/.bin/rolldown', ['--config'], fresh);
  }
  await rename(fresh, directory);
  return directory;
}

async function runTool(file: string, args: readonly string[], cwd: string): Promise<void> {
  // the Node.js of this test: the one of node_modules is not installed without install scripts
  const PATH = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const child = spawn(file, args, { cwd, env: { ...process.env, PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-4_000);
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} in ${cwd} failed (${code}):\n${output}`);
}
