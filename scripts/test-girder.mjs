// npm run test:girder -- [--girder 3] [--load] [<arguments of vitest>]: scenarios against a real Girder from PyPI;
// with --load 200 runs in place of the others. npm run test:dsa adds --dsa: slides, annotations and HistomicsTK instead.
import { spawnSync } from 'node:child_process';

const args = process.argv.slice(2);
const at = args.indexOf('--girder');
const [, major = '5'] = at === -1 ? [] : args.splice(at, 2);
const hasFlag = (name) => {
  const index = args.indexOf(name);
  if (index !== -1) args.splice(index, 1);
  return index !== -1;
};
const [load, dsa] = [hasFlag('--load'), hasFlag('--dsa')];
const vitest = ['vitest', 'run', '--config', `vitest.${dsa ? 'dsa' : 'girder'}.config.ts`, ...args];
const { status } = spawnSync('npx', vitest, {
  stdio: 'inherit',
  env: { ...process.env, DSA_SLURM_TEST_GIRDER: major, DSA_SLURM_TEST_LOAD: load ? '1' : '' },
});
process.exitCode = status ?? 1;
