import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { fatal } from './common.js';

/**
 * The container's process 1, like Apptainer's: forwards signals, which the kernel does not deliver to a process 1 without
 * handlers, and waits for the program. Its first argument is the container's /proc, where it shows the processes of the
 * container instead of the host's, where it may.
 */
export const firstProcess = `
mount -t proc proc "$1" 2>/dev/null
shift
for signal in TERM INT HUP USR1 USR2; do trap "again=1; kill -s $signal \\$child" $signal; done
"$@" <&0 &
child=$!
again=1
while [ -n "$again" ]; do again=; wait $child; code=$?; done 2>/dev/null
exit $code
`;

const setpriv = '/usr/bin/setpriv';

export function runFakeProgram(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  cwd: string,
): void {
  const hasFirst = args.includes('--pid');
  // Slurm kills the processes of a job that it knows. The container's processes must not outlive this one, as with Apptainer.
  const [file, vector] =
    hasFirst && existsSync(setpriv)
      ? [setpriv, ['--pdeathsig', 'KILL', '--', program, ...args]]
      : [program, [...args]];
  const child = spawn(file, vector, { env, cwd, stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    process.on(signal, () => {
      // unshare does not forward signals to the process that it waits for
      if (hasFirst) for (const pid of childrenOf(child.pid ?? 0)) process.kill(pid, signal);
      else child.kill(signal);
    });
  }
  child.once('error', (error) => fatal(String(error)));
  child.once('exit', (code, signal) => {
    const name = signal ?? signalOf(code ?? 255);
    if (name === null) process.exitCode = code ?? 255;
    else {
      process.removeAllListeners(name);
      process.kill(process.pid, name);
    }
  });
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** The signal behind a shell's exit code, if any. */
function signalOf(code: number): NodeJS.Signals | null {
  const found = Object.entries(constants.signals).find(([, number]) => number === code - 128);
  return code > 128 && found !== undefined ? (found[0] as NodeJS.Signals) : null;
}
