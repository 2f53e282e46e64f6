// npm run dev [-- <arguments of `dsa-slurm sandbox`>]: the program against a sandbox, built again and started again
// whenever a file in src/ changes. What the bundler says goes to build/dev.log, because the console has the screen.
import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
mkdirSync(`${root}build`, { recursive: true });
const log = openSync(`${root}build/dev.log`, 'w');
const bundler = spawn(process.execPath, ['node_modules/rolldown/bin/cli.mjs', '--config', '--watch'], {
  cwd: root,
  stdio: ['ignore', log, log],
});
const program = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--watch-path=dist',
    'dist/cli/main.js',
    'sandbox',
    '--debug',
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);
program.on('exit', (code) => {
  bundler.kill();
  process.exitCode = code ?? 1;
});
bundler.on('exit', (code) => {
  if (program.exitCode !== null) return;
  process.stderr.write(`The bundler ended (${code}); see build/dev.log.\n`);
  program.kill();
});
// the terminal sends Ctrl-C to all three; this one only waits for the other two
process.on('SIGINT', () => undefined);
